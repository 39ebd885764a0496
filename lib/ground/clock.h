/* Wall-clock times as people read and write them.
 *
 * Times for people are local, in milliseconds: 2022-03-30T20:58:30.689. */
#ifndef TSFERRY_CLOCK_H
#define TSFERRY_CLOCK_H

#include "base.h"

#define CLOCK_TEXT_LEN 32
#define CLOCK_ZONE_LEN 96

int64_t clock_wall_ms(void);
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* Local, with milliseconds. `to` holds CLOCK_TEXT_LEN. Returns `to`. */
const char *clock_text(int64_t wall_ms, char *to);

/* A time zone as the TZ of tzset(3): a name of the system's zone files (Asia/Shanghai), UTC,
 * or an offset as IoTDB writes it (+08:00, UTC+8, GMT-03:30; east is +, which TZ turns round).
 * -EINVAL for what is none: tzset() would take it for UTC. */
int clock_zone(const char *zone, char tz[CLOCK_ZONE_LEN]) MUST_CHECK;

/* The same with the offset of the zone behind it: ...689+08:00. */
const char *clock_text_offset(int64_t wall_ms, char *to);

/* Local fields to milliseconds since 1970; -EINVAL for a date that is none
 * (February 30th). */
int clock_from_local(int year, int month, int day, int hour, int min, int sec, int msec,
		     int64_t *wall_ms) MUST_CHECK;
int clock_from_utc(int year, int month, int day, int hour, int min, int sec, int msec,
		   int64_t *wall_ms) MUST_CHECK;

#endif
