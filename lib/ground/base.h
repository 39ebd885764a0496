/* What every file may use: attributes, cleanup of locals, sizes.
 *
 * Four kinds of locals are released by attribute: memory (CLEANUP_FREE),
 * descriptors (CLEANUP_CLOSE), directory streams (CLEANUP_DIR) and objects with
 * a release function (CLEANUP(fn)). "Not held" is always representable, as NULL
 * or -1, so that cleanup works on what is half built; success hands over with
 * steal_ptr() or steal_fd(). */
#ifndef TSFERRY_BASE_H
#define TSFERRY_BASE_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(p, type, member)                                          \
	((type *)(void *)((char *)(p) - offsetof(type, member)))

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))

#define CLEANUP(fn) __attribute__((cleanup(fn)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_CLOSE CLEANUP(cleanup_close)
#define CLEANUP_DIR CLEANUP(cleanup_dir)

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void cleanup_dir(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

static inline void *steal_ptr(void *p)
{
	void **pp = p, *v = *pp;

	*pp = NULL;
	return v;
}

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/* For sizes that we chose ourselves: a fixed small allocation that fails ends
 * the process with a sentence; everything durable survives that, by design.
 * What has a size from outside is bounded first and may answer -ENOMEM. */
void *xcalloc(size_t n, size_t size);
char *xstrdup(const char *s);

/* Room for one more item of `size` bytes behind the n in an array that has room for *cap.
 * `array` is the address of its pointer, NULL when it is empty. Returns 0, or -ENOMEM
 * with everything as it was. */
int array_room(void *array, size_t n, size_t *cap, size_t size) MUST_CHECK;

#endif
