/* The simulator's sizes: everything is compiled with smaller windows, blocks and lists,
 * so that each bound is met in every other seed and a seed costs milliseconds. Included
 * in front of every source by the build; `sim-full` is the same with the real sizes. */
#ifndef TSFERRY_SIM_SCALE_H
#define TSFERRY_SIM_SCALE_H

#define BLOCK_LEN 2048u
#define ENTRY_ROW_MAX 512u
#define PARTIAL_BLOCKS_MAX 4u
#define PREFIX_MARGIN 64u

#define UPLOAD_WINDOW_ENTRIES 64u
#define UPLOAD_WINDOW_BYTES (32u << 10)
#define UPLOAD_READS 4u
#define UPLOAD_HEADS 4u
#define UPLOAD_RUNS_MAX 512u
#define UPLOAD_REFS 4u
#define UPLOAD_REFER_MIN 64u
#define UPLOAD_LATER 6u
#define UPLOAD_LATER_MIN 4096u
#define EARLY_MAX 32u

#define RECEIVE_OPEN_MAX 8u
#define RECEIVE_UNCOMMITTED_MAX 128u
#define RECEIVE_KEPT_MAX (8u << 10)
#define RECEIVE_HEADS_MAX (256u << 10)

#define SIM_PAGE 512u
#define SIM_QUEUE_FULL (8u << 10)

#endif
