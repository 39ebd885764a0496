#include "ground/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* The clocks asked here exist on every Linux: clock_gettime cannot fail. */
static struct timespec now(clockid_t id)
{
	struct timespec t = {0};

	(void)clock_gettime(id, &t);
	return t;
}

int64_t clock_wall_ms(void)
{
	struct timespec t = now(CLOCK_REALTIME);

	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t clock_mono_ms(void)
{
	return clock_mono_us() / 1000;
}

uint64_t clock_mono_us(void)
{
	struct timespec t = now(CLOCK_MONOTONIC);

	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)(t.tv_nsec / 1000);
}

/* Four-digit years only; what lies outside is shown as the bare number, because
 * wall times also come from files and peers. */
static bool local_fields(int64_t wall_ms, struct tm *tm, int *msec)
{
	int64_t rest = wall_ms % 1000;
	time_t sec;

	if (rest < 0)
		rest += 1000;
	sec = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0));
	*msec = (int)rest;
	return localtime_r(&sec, tm) && tm->tm_year >= -1900 &&
	       tm->tm_year <= 9999 - 1900;
}

static int write_fields(const struct tm *tm, int msec, char *to)
{
	return snprintf(to, CLOCK_TEXT_LEN,
			"%04u-%02u-%02uT%02u:%02u:%02u.%03u",
			(unsigned)(tm->tm_year + 1900) % 10000,
			(unsigned)(tm->tm_mon + 1) % 100,
			(unsigned)tm->tm_mday % 100,
			(unsigned)tm->tm_hour % 100, (unsigned)tm->tm_min % 100,
			(unsigned)tm->tm_sec % 100, (unsigned)msec % 1000);
}

const char *clock_text(int64_t wall_ms, char *to)
{
	struct tm tm;
	int msec;

	if (local_fields(wall_ms, &tm, &msec))
		(void)write_fields(&tm, msec, to);
	else
		(void)snprintf(to, CLOCK_TEXT_LEN, "%" PRId64, wall_ms);
	return to;
}

const char *clock_text_offset(int64_t wall_ms, char *to)
{
	struct tm tm;
	int msec, at;
	unsigned minutes;

	if (!local_fields(wall_ms, &tm, &msec)) {
		(void)snprintf(to, CLOCK_TEXT_LEN, "%" PRId64, wall_ms);
		return to;
	}
	at = write_fields(&tm, msec, to);
	minutes = (unsigned)labs(tm.tm_gmtoff) / 60;
	(void)snprintf(to + at, (size_t)(CLOCK_TEXT_LEN - at), "%c%02u:%02u",
		       tm.tm_gmtoff < 0 ? '-' : '+', minutes / 60 % 100,
		       minutes % 60);
	return to;
}

static int days_of_month(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

static bool is_date(int year, int month, int day)
{
	return year >= 0 && year <= 9999 && month >= 1 && month <= 12 &&
	       day >= 1 && day <= days_of_month(year, month);
}

static bool is_time(int hour, int min, int sec)
{
	return hour >= 0 && hour <= 23 && min >= 0 && min <= 59 && sec >= 0 &&
	       sec <= 59;
}

static int to_fields(struct tm *tm, int year, int month, int day, int hour,
		     int min, int sec)
{
	if (!is_date(year, month, day) || !is_time(hour, min, sec))
		return -EINVAL;
	*tm = (struct tm){.tm_year = year - 1900,
			  .tm_mon = month - 1,
			  .tm_mday = day,
			  .tm_hour = hour,
			  .tm_min = min,
			  .tm_sec = sec,
			  .tm_wday = -1,
			  .tm_isdst = -1};
	return 0;
}

int clock_from_local(int year, int month, int day, int hour, int min, int sec,
		     int msec, int64_t *wall_ms)
{
	struct tm tm;
	time_t t;

	if (to_fields(&tm, year, month, day, hour, min, sec) < 0 || msec < 0 ||
	    msec > 999)
		return -EINVAL;
	/* An hour that the zone skips is read as if the clock had gone on. -1 is
	 * also a moment in 1969: the weekday tells whether mktime failed. */
	t = mktime(&tm);
	if (tm.tm_wday < 0)
		return -EINVAL;
	*wall_ms = (int64_t)t * 1000 + msec;
	return 0;
}

int clock_from_utc(int year, int month, int day, int hour, int min, int sec,
		   int msec, int64_t *wall_ms)
{
	struct tm tm;

	if (to_fields(&tm, year, month, day, hour, min, sec) < 0 || msec < 0 ||
	    msec > 999)
		return -EINVAL;
	*wall_ms = (int64_t)timegm(&tm) * 1000 + msec;
	return 0;
}

/* ---- zones ---- */

#define ZONE_FILES "/usr/share/zoneinfo/"

/* One or two digits. */
static int two_digits(const char **p)
{
	int n = 0, i;

	for (i = 0; i < 2 && **p >= '0' && **p <= '9'; i++)
		n = n * 10 + *(*p)++ - '0';
	return i ? n : -1;
}

static int offset_zone(const char *p, char *tz)
{
	char sign = *p++;
	int hours = two_digits(&p), minutes = 0;

	if (*p == ':') {
		p++;
		minutes = two_digits(&p);
	}
	if (*p || hours < 0 || hours > 18 || minutes < 0 || minutes > 59)
		return -EINVAL;
	(void)snprintf(tz, CLOCK_ZONE_LEN, "<%c%02d%02d>%c%02d:%02d", sign,
		       hours, minutes, sign == '+' ? '-' : '+', hours, minutes);
	return 0;
}

int clock_zone(const char *zone, char tz[CLOCK_ZONE_LEN])
{
	static const char *const zeros[] = {"UTC", "GMT", "UT", "Z"};
	char path[sizeof(ZONE_FILES) + CLOCK_ZONE_LEN];
	struct stat st;

	if (*zone == '+' || *zone == '-')
		return offset_zone(zone, tz);
	for (size_t i = 0; i < ARRAY_LEN(zeros); i++) {
		size_t n = strlen(zeros[i]);

		if (strncmp(zone, zeros[i], n) != 0)
			continue;
		if (zone[n] == '+' || zone[n] == '-')
			return offset_zone(zone + n, tz);
		if (!zone[n])
			return offset_zone("+0", tz);
	}
	if (!*zone || strlen(zone) >= CLOCK_ZONE_LEN || *zone == '/' ||
	    strchr(zone, '.'))
		return -EINVAL;
	(void)snprintf(path, sizeof(path), ZONE_FILES "%s", zone);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	(void)snprintf(tz, CLOCK_ZONE_LEN, "%s", zone);
	return 0;
}
