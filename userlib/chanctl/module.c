// SPDX-License-Identifier: GPL-2.0-only
/*
 * chanctl: the kernel module, by way of libkmod.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "chanctl.h"
#include "module.h"

#define NAME "chan"

bool module_is_loaded(void)
{
	return access(SYSFS_MODULE, F_OK) == 0;
}

/* What there is to say is said here. */
static void say_nothing(void *data, int priority, const char *file, int line,
			const char *fn, const char *format, va_list args)
{
	(void)data;
	(void)priority;
	(void)file;
	(void)line;
	(void)fn;
	(void)format;
	(void)args;
}

static int find(struct module *m, const char *file)
{
	struct kmod_list *list = NULL;
	int ret;

	if (file)
		return access(file, R_OK) ?
			       -errno :
			       kmod_module_new_from_path(m->ctx, file, &m->mod);
	ret = kmod_module_new_from_lookup(m->ctx, NAME, &list);
	if (ret < 0)
		return ret;
	if (list)
		m->mod = kmod_module_get_module(list);
	kmod_module_unref_list(list);
	return m->mod && kmod_module_get_path(m->mod) ? 0 : -ENOENT;
}

int module_open(struct module *m, const struct module_place *place)
{
	struct utsname system;
	int ret;

	uname(&system);
	*m = (struct module){
		.ctx = kmod_new(place->directory, NULL),
		.directory = place->directory ?
				     text("%s", place->directory) :
				     text("/lib/modules/%s", system.release),
	};
	if (!m->ctx)
		return -ENOMEM;
	kmod_set_log_fn(m->ctx, say_nothing, NULL);
	ret = find(m, place->file);
	if (ret)
		return ret;
	ret = kmod_module_get_info(m->mod, &m->info);
	return ret < 0 ? ret : 0;
}

void module_close(struct module *m)
{
	kmod_module_info_free_list(m->info);
	kmod_module_unref(m->mod);
	kmod_unref(m->ctx);
	free(m->directory);
}

const char *module_info(const struct module *m, const char *key)
{
	struct kmod_list *at;

	kmod_list_foreach(at, m->info)
	{
		if (strcmp(kmod_module_info_get_key(at), key) == 0)
			return kmod_module_info_get_value(at);
	}
	return NULL;
}

/* A parameter is told as "name:what it does". */
bool module_has_parameter(const struct module *m, const char *name, size_t len)
{
	struct kmod_list *at;

	kmod_list_foreach(at, m->info)
	{
		const char *value = kmod_module_info_get_value(at);

		if (strcmp(kmod_module_info_get_key(at), "parm") == 0 &&
		    strncmp(value, name, len) == 0 && value[len] == ':')
			return true;
	}
	return false;
}

char *module_parameters(const struct module *m)
{
	char *all = text("%s", ""), *longer;
	struct kmod_list *at;

	kmod_list_foreach(at, m->info)
	{
		const char *value = kmod_module_info_get_value(at);

		if (strcmp(kmod_module_info_get_key(at), "parm"))
			continue;
		longer = text("%s%s%.*s", all, *all ? ", " : "",
			      (int)strcspn(value, ":"), value);
		free(all);
		all = longer;
	}
	return all;
}

char *module_parameter(const char *name)
{
	char *path = text(SYSFS_MODULE "/parameters/%s", name);
	char *value = read_line(path);

	free(path);
	return value;
}

/* --- What has gone wrong, and what to do about it --- */

static const char is_missing[] =
	"there is no module chan in %s\n"
	"  build and install it for this kernel: make install, or the package chan-dkms\n"
	"  or name the file: chanctl load --file chan.ko";

static const char is_of_another_kernel[] =
	"%s was built for kernel %.*s, and this is %s\n"
	"  build it for this one: make KDIR=/lib/modules/%s/build, or dkms autoinstall";

static const char is_of_another_configuration[] =
	"%s was built for another configuration of this kernel: %s\n"
	"  build it with the headers of the kernel that runs; dmesg tells what differs";

static const char is_not_signed[] =
	"%s is not signed, and this kernel takes signed modules only\n"
	"  sign it with a key that the kernel trusts, see kmodsign(1) and mokutil(1),\n"
	"  or boot without module.sig_enforce and Secure Boot";

static const char is_signed_badly[] =
	"%s is signed by '%s', whom this kernel does not trust, or has been changed\n"
	"  sign it with a key that the kernel trusts, see kmodsign(1) and mokutil(1),\n"
	"  or boot without module.sig_enforce and Secure Boot";

static const char is_not_allowed[] =
	"%s: this kernel does not allow it\n"
	"  see /sys/kernel/security/lockdown and /proc/sys/kernel/modules_disabled";

char *explain_missing(const struct module *m, const struct module_place *place,
		      int error)
{
	if (place->file && error == ENOENT)
		return text("there is no file '%s'", place->file);
	if (place->file && (error == EACCES || error == EISDIR))
		return text("'%s': %s", place->file, strerror(error));
	if (place->file)
		return text("'%s' is no kernel module: %s", place->file,
			    strerror(error));
	if (error == ENOENT)
		return text(is_missing, m->directory);
	return text("cannot look for the module in %s: %s", m->directory,
		    strerror(error));
}

/* The kernel says no more than that the format is wrong. */
static char *explain_format(const char *path, const char *vermagic)
{
	struct utsname system;
	size_t len = vermagic ? strcspn(vermagic, " ") : 0;

	uname(&system);
	if (!vermagic)
		return text("%s is no module that this kernel understands",
			    path);
	if (strlen(system.release) == len &&
	    strncmp(vermagic, system.release, len) == 0)
		return text(is_of_another_configuration, path, vermagic);
	return text(is_of_another_kernel, path, (int)len, vermagic,
		    system.release, system.release);
}

static char *explain_signature(const char *path, const char *signer)
{
	if (signer)
		return text(is_signed_badly, path, signer);
	return text(is_not_signed, path);
}

static char *explain_permission(const struct module *m, const char *path)
{
	if (geteuid())
		return text("this takes root; try: sudo chanctl load");
	if (!module_info(m, "signer"))
		return explain_signature(path, NULL);
	return text(is_not_allowed, path);
}

char *explain_load(const struct module *m, int error, const char *parameters)
{
	const char *path = kmod_module_get_path(m->mod);

	switch (error) {
	case ENOEXEC:
		return explain_format(path, module_info(m, "vermagic"));
	case EKEYREJECTED:
	case ENOKEY:
	case EBADMSG:
		return explain_signature(path, module_info(m, "signer"));
	case EPERM:
	case EACCES:
		return explain_permission(m, path);
	case ENOENT:
		return text("%s needs what this kernel lacks; see dmesg", path);
	case EEXIST:
		return text("the module is loaded already");
	case EINVAL:
	case ERANGE:
		if (*parameters)
			return text("the module refuses '%s'; see dmesg",
				    parameters);
		break;
	}
	return text("%s: %s; dmesg may tell more", path, strerror(error));
}
