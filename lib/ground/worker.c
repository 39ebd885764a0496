#include "ground/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>

/* Two lists under one lock: what waits for a thread and what is done. The
 * eventfd is written only when the second list stops being empty, so a burst of
 * completions wakes the loop once. */

#define NAME_LEN 16 /* what the kernel keeps, NUL included */

struct job_list {
	struct job *first, **end;
};

struct worker {
	struct loop *loop; /* borrowed */
	struct loop_io io;
	int event_fd;	  /* owned */
	size_t n_pending; /* of the loop's thread alone */
	bool delivering;

	pthread_t *threads; /* owned */
	unsigned n_threads;

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t work_came, job_done;
	struct job_list todo, finished;
	bool stopping;
};

static void list_clear(struct job_list *list)
{
	list->first = NULL;
	list->end = &list->first;
}

static void list_add(struct job_list *list, struct job *j)
{
	j->next = NULL;
	*list->end = j;
	list->end = &j->next;
}

static struct job *list_take(struct job_list *list)
{
	struct job *j = list->first;

	list->first = j->next;
	if (!list->first)
		list->end = &list->first;
	return j;
}

static void wake_loop(struct worker *w)
{
	uint64_t one = 1;
	ssize_t n = 0;

	/* A kernel has no reason to refuse; a supervisor may once. Lost, it would leave
	 * the loop asleep for ever. */
	for (int tries = 0; n != sizeof one && tries < 8; tries++)
		n = write(w->event_fd, &one, sizeof one);
	assert(n == sizeof one);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	(void)pthread_mutex_lock(&w->lock);
	for (;;) {
		struct job *j;

		while (!w->todo.first && !w->stopping)
			(void)pthread_cond_wait(&w->work_came, &w->lock);
		if (!w->todo.first)
			break;
		j = list_take(&w->todo);
		(void)pthread_mutex_unlock(&w->lock);
		j->run(j);
		(void)pthread_mutex_lock(&w->lock);
		if (!w->finished.first)
			wake_loop(w);
		list_add(&w->finished, j);
		(void)pthread_cond_signal(&w->job_done);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Calls `done` for what is finished, oldest first. */
static void deliver(struct worker *w)
{
	struct job *j, *next;

	(void)pthread_mutex_lock(&w->lock);
	j = w->finished.first;
	list_clear(&w->finished);
	(void)pthread_mutex_unlock(&w->lock);
	w->delivering = true;
	for (; j; j = next) {
		next = j->next;
		w->n_pending--;
		j->done(j);
	}
	w->delivering = false;
}

static void jobs_finished(struct loop_io *io, uint32_t events)
{
	struct worker *w = CONTAINER_OF(io, struct worker, io);
	uint64_t count;

	(void)events;
	/* Emptied before the list is taken: a job that ends in between wakes
	 * the loop once too often, never once too rarely. */
	if (read(w->event_fd, &count, sizeof count) < 0 && errno != EAGAIN)
		return;
	deliver(w);
}

/* Signals belong to the loop: a thread inherits a mask that blocks them all. */
static int start_threads(struct worker *w, unsigned n, const char *name)
{
	char text[NAME_LEN];
	sigset_t all, before;
	int r;

	(void)snprintf(text, sizeof text, "%s", name);
	(void)sigfillset(&all);
	r = pthread_sigmask(SIG_SETMASK, &all, &before);
	while (r == 0 && w->n_threads < n) {
		pthread_t *t = &w->threads[w->n_threads];

		r = pthread_create(t, NULL, thread_main, w);
		if (r == 0) {
			w->n_threads++;
			(void)pthread_setname_np(*t, text);
		}
	}
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int worker_new(struct worker **out, struct loop *l, unsigned n_threads,
	       const char *name, struct err *e)
{
	struct worker *w = xcalloc(1, sizeof *w);
	int r;

	assert(n_threads > 0);
	*out = NULL;
	w->loop = l;
	w->threads = xcalloc(n_threads, sizeof *w->threads);
	list_clear(&w->todo);
	list_clear(&w->finished);
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->work_came, NULL);
	(void)pthread_cond_init(&w->job_done, NULL);
	w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = w->event_fd < 0 ? -errno : 0;
	if (r == 0)
		r = loop_add(l, &w->io, w->event_fd, EPOLLIN, jobs_finished);
	if (r == 0)
		r = start_threads(w, n_threads, name);
	if (r < 0) {
		worker_free(w);
		return err_set(e, -r, "cannot start %u thread(s) '%s': %s",
			       n_threads, name, err_words(-r));
	}
	*out = w;
	return 0;
}

void worker_submit(struct worker *w, struct job *j)
{
	assert(j->run && j->done);
	w->n_pending++;
	(void)pthread_mutex_lock(&w->lock);
	list_add(&w->todo, j);
	(void)pthread_cond_signal(&w->work_came);
	(void)pthread_mutex_unlock(&w->lock);
}

size_t worker_pending(const struct worker *w)
{
	return w->n_pending;
}

/* A `done` may submit again, so this goes on until nothing is left. */
static void finish_all(struct worker *w)
{
	while (w->n_pending) {
		(void)pthread_mutex_lock(&w->lock);
		while (!w->finished.first)
			(void)pthread_cond_wait(&w->job_done, &w->lock);
		(void)pthread_mutex_unlock(&w->lock);
		deliver(w);
	}
}

void worker_free(struct worker *w)
{
	if (!w)
		return;
	assert(!w->delivering);
	finish_all(w);
	(void)pthread_mutex_lock(&w->lock);
	w->stopping = true;
	(void)pthread_cond_broadcast(&w->work_came);
	(void)pthread_mutex_unlock(&w->lock);
	for (unsigned i = 0; i < w->n_threads; i++)
		(void)pthread_join(w->threads[i], NULL);
	loop_del(&w->io);
	if (w->event_fd >= 0)
		(void)close(w->event_fd);
	(void)pthread_cond_destroy(&w->job_done);
	(void)pthread_cond_destroy(&w->work_came);
	(void)pthread_mutex_destroy(&w->lock);
	free(w->threads);
	free(w);
}
