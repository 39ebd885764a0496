#include "tree.h"

#include <string.h>

const char *tree_step(const char *path, char component[TREE_NAME_MAX + 1])
{
	size_t n;

	component[0] = '\0';
	while (*path == '/')
		path++;
	if (!*path)
		return NULL;
	n = strcspn(path, "/");
	if (n <= TREE_NAME_MAX) {
		memcpy(component, path, n);
		component[n] = '\0';
	}
	return path + n;
}
