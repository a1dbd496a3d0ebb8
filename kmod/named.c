// SPDX-License-Identifier: GPL-2.0-only
/*
 * Named channels: /dev/chan0 and on, /dev/chan-NAME, and what sysfs shows of
 * them.  A node holds a reference to its channel, which so stays while nobody
 * has it open.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/capability.h>
#include <linux/cdev.h>
#include <linux/ctype.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/kstrtox.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/sysfs.h>
#include <linux/xarray.h>

#include <linux/chan.h>

#include "channel.h"
#include "compat.h"
#include "end.h"
#include "ioctl.h"
#include "named.h"
#include "user.h"

/* Device numbers set aside, and so the most named channels there can be. */
#define CHAN_MINORS 4096

static unsigned int channels = 8;
module_param(channels, uint, 0444);
MODULE_PARM_DESC(channels, "Named channels /dev/chan0 and on (default 8)");

static unsigned int mode = 0600;
module_param(mode, uint, 0444);
MODULE_PARM_DESC(mode,
		 "Permissions of /dev/chan0 and on, in octal (default 0600)");

/**
 * struct chan_node - one named channel
 * @dev: its device; holds the memory
 * @ch: its channel
 * @mode: permissions of the device node
 * @name: the NAME of ``/dev/chan-NAME``, empty for a numbered one
 */
struct chan_node {
	struct device dev;
	struct channel *ch;
	umode_t mode;
	char name[CHAN_NAME_SIZE];
};

static struct class *chan_class;
static struct cdev chan_cdev;
static dev_t first_devt;
/* Whether nodes can be opened; under named_lock. */
static bool live;
/*
 * Where to look for a free minor number: onwards, lest who has begun to open a
 * node that is removed gets the next one to be added.
 */
static u32 next_minor;
/* The nodes by minor number, and the lock under which they come and go. */
static DEFINE_XARRAY_ALLOC(nodes);
static DEFINE_MUTEX(named_lock);

static struct chan_node *to_node(const struct device *dev)
{
	return container_of(dev, struct chan_node, dev);
}

/* A number as an attribute, read off one snapshot. */
/* clang-format off */
#define INFO_ATTR(field, format)					\
static ssize_t field##_show(struct device *dev,			\
			    struct device_attribute *attr, char *buf)	\
{									\
	struct chan_info info;						\
									\
	channel_info(to_node(dev)->ch, &info);				\
	return sysfs_emit(buf, format "\n", info.field);		\
}

/* clang-format on */

INFO_ATTR(id, "%llu")
INFO_ATTR(cause, "%u")
INFO_ATTR(capacity, "%u")
INFO_ATTR(max_msg, "%u")
INFO_ATTR(buffered, "%u")
INFO_ATTR(parked_senders, "%u")
INFO_ATTR(parked_receivers, "%u")
INFO_ATTR(send_ends, "%u")
INFO_ATTR(recv_ends, "%u")
INFO_ATTR(sent, "%llu")
INFO_ATTR(received, "%llu")

static ssize_t state_show(struct device *dev, struct device_attribute *attr,
			  char *buf)
{
	struct chan_info info;

	channel_info(to_node(dev)->ch, &info);
	return sysfs_emit(buf, "%s\n", channel_state_name(info.state));
}

static ssize_t hangup_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct chan_info info;

	channel_info(to_node(dev)->ch, &info);
	return sysfs_emit(buf, "%d\n", !!(info.flags & CHAN_INFO_HANGUP));
}

static ssize_t hangup_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	bool hangup;
	int err;

	err = kstrtobool(buf, &hangup);
	if (err)
		return err;
	channel_set_hangup(to_node(dev)->ch, hangup);
	return count;
}

static ssize_t capacity_store(struct device *dev, struct device_attribute *attr,
			      const char *buf, size_t count)
{
	u32 capacity, max_msg = 0;
	int err;

	err = kstrtou32(buf, 0, &capacity);
	if (!err)
		err = channel_limits(capacity, &max_msg);
	if (!err)
		err = channel_configure(to_node(dev)->ch, &capacity, NULL);
	return err ?: count;
}

static ssize_t max_msg_store(struct device *dev, struct device_attribute *attr,
			     const char *buf, size_t count)
{
	u32 max_msg;
	int err;

	err = kstrtou32(buf, 0, &max_msg);
	if (!err)
		err = channel_limits(0, &max_msg);
	if (!err)
		err = channel_configure(to_node(dev)->ch, NULL, &max_msg);
	return err ?: count;
}

static DEVICE_ATTR_RO(id);
static DEVICE_ATTR_RO(state);
static DEVICE_ATTR_RO(cause);
static DEVICE_ATTR_RW(capacity);
static DEVICE_ATTR_RW(max_msg);
static DEVICE_ATTR_RO(buffered);
static DEVICE_ATTR_RO(parked_senders);
static DEVICE_ATTR_RO(parked_receivers);
static DEVICE_ATTR_RO(send_ends);
static DEVICE_ATTR_RO(recv_ends);
static DEVICE_ATTR_RO(sent);
static DEVICE_ATTR_RO(received);
static DEVICE_ATTR_RW(hangup);

static struct attribute *chan_attrs[] = {
	&dev_attr_id.attr,
	&dev_attr_state.attr,
	&dev_attr_cause.attr,
	&dev_attr_capacity.attr,
	&dev_attr_max_msg.attr,
	&dev_attr_buffered.attr,
	&dev_attr_parked_senders.attr,
	&dev_attr_parked_receivers.attr,
	&dev_attr_send_ends.attr,
	&dev_attr_recv_ends.attr,
	&dev_attr_sent.attr,
	&dev_attr_received.attr,
	&dev_attr_hangup.attr,
	NULL,
};
ATTRIBUTE_GROUPS(chan);

static char *chan_devnode(COMPAT_DEVNODE_CONST struct device *dev,
			  umode_t *node_mode)
{
	if (node_mode)
		*node_mode = to_node(dev)->mode;
	return NULL;
}

static void node_release(struct device *dev)
{
	struct chan_node *node = to_node(dev);

	channel_put(node->ch);
	kfree(node);
}

/* Add a node; @name is empty for a numbered one. */
static int node_add(const char *name, umode_t node_mode, u32 capacity,
		    u32 max_msg)
{
	struct chan_node *node;
	u32 minor;
	int err;

	node = kzalloc(sizeof(*node), GFP_CHAN);
	if (!node)
		return -ENOMEM;
	node->ch = channel_create(scope_root(), NULL, capacity, max_msg);
	if (IS_ERR(node->ch)) {
		err = PTR_ERR(node->ch);
		kfree(node);
		return err;
	}
	node->mode = node_mode;
	strscpy(node->name, name, sizeof(node->name));
	node->dev.class = chan_class;
	node->dev.groups = chan_groups;
	node->dev.release = node_release;
	device_initialize(&node->dev);

	err = xa_alloc_cyclic(&nodes, &minor, node,
			      XA_LIMIT(0, CHAN_MINORS - 1), &next_minor,
			      GFP_KERNEL);
	if (err == -EBUSY)
		err = -ENOSPC;
	if (err < 0)
		goto put;
	node->dev.devt = first_devt + minor;
	err = *name ? dev_set_name(&node->dev, "chan-%s", name) :
		      dev_set_name(&node->dev, "chan%u", minor);
	if (err)
		goto erase;
	err = device_add(&node->dev);
	if (err)
		goto erase;
	return 0;

erase:
	xa_erase(&nodes, minor);
put:
	put_device(&node->dev);
	return err;
}

static void node_remove(struct chan_node *node)
{
	xa_erase(&nodes, node->dev.devt - first_devt);
	device_del(&node->dev);
	channel_remove(node->ch);
	put_device(&node->dev);
}

static struct chan_node *node_find(const char *name)
{
	struct chan_node *node;
	unsigned long minor;

	xa_for_each(&nodes, minor, node) {
		if (!strcmp(node->name, name))
			return node;
	}
	return NULL;
}

/* What can stand in a file name without surprising anybody. */
static bool name_valid(const char *name)
{
	size_t len = strnlen(name, CHAN_NAME_SIZE);
	size_t i;

	if (!len || len == CHAN_NAME_SIZE)
		return false;
	for (i = 0; i < len; i++) {
		if (!isascii(name[i]) ||
		    (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	}
	return true;
}

/**
 * named_ioctl_add - CHAN_IOC_DEV_ADD
 * @req: the request
 *
 * Return: 0 or a negative errno.
 */
long named_ioctl_add(struct chan_request *req)
{
	struct chan_dev_add *arg = req->arg;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!name_valid(arg->name) || arg->mode & ~0777 || arg->flags)
		return -EINVAL;
	err = channel_limits(arg->capacity, &arg->max_msg);
	if (err)
		return err;

	mutex_lock(&named_lock);
	if (node_find(arg->name))
		err = -EEXIST;
	else
		err = node_add(arg->name, arg->mode, arg->capacity,
			       arg->max_msg);
	mutex_unlock(&named_lock);
	return err;
}

/**
 * named_ioctl_remove - CHAN_IOC_DEV_REMOVE
 * @req: the request
 *
 * Return: 0 or a negative errno.
 */
long named_ioctl_remove(struct chan_request *req)
{
	const struct chan_dev_remove *arg = req->arg;
	struct chan_node *node;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (!name_valid(arg->name) || arg->flags)
		return -EINVAL;

	mutex_lock(&named_lock);
	node = node_find(arg->name);
	if (node)
		node_remove(node);
	mutex_unlock(&named_lock);
	return node ? 0 : -ENOENT;
}

/**
 * named_adopt - take a named channel into a scope
 * @scope: the scope
 * @ch: the channel
 * @mode: of the one file that is open on it
 *
 * Not while somebody who opens it has been let in, and is no end of it yet.
 *
 * Return: 0, -ECANCELED, -EBUSY, -ENODEV.
 */
long named_adopt(struct chan_scope *scope, struct channel *ch, fmode_t mode)
{
	long err;

	mutex_lock(&named_lock);
	err = scope_adopt(scope, ch, mode);
	mutex_unlock(&named_lock);
	return err;
}

static int named_open(struct inode *inode, struct file *file)
{
	struct chan_node *node;
	int err = -ENXIO;

	mutex_lock(&named_lock);
	node = live ? xa_load(&nodes, iminor(inode) - MINOR(first_devt)) : NULL;
	/* Who is kept out of an adopted one shall not count as an end either. */
	if (node)
		err = channel_access(node->ch);
	if (!err)
		end_open(node->ch, file);
	mutex_unlock(&named_lock);
	return err;
}

/* Replaced by those of an end as soon as the channel is known. */
static const struct file_operations named_fops = {
	.owner = THIS_MODULE,
	.open = named_open,
};

static void remove_all(void)
{
	struct chan_node *node;
	unsigned long minor;

	mutex_lock(&named_lock);
	xa_for_each(&nodes, minor, node)
		node_remove(node);
	mutex_unlock(&named_lock);
}

static int add_numbered(void)
{
	unsigned int i;
	int err = 0;

	mutex_lock(&named_lock);
	for (i = 0; i < channels && !err; i++)
		err = node_add("", mode, 0, CHAN_DEFAULT_MAX_MSG);
	mutex_unlock(&named_lock);
	return err;
}

static int check_parameters(void)
{
	if (channels > CHAN_MINORS) {
		pr_err("parameter channels=%u: at most %u\n", channels,
		       CHAN_MINORS);
		return -EINVAL;
	}
	if (mode & ~0777) {
		pr_err("parameter mode=%#o: permission bits only, at most 0777\n",
		       mode);
		return -EINVAL;
	}
	return 0;
}

int named_init(void)
{
	int err;

	err = check_parameters();
	if (err)
		return err;
	err = alloc_chrdev_region(&first_devt, 0, CHAN_MINORS, "chan");
	if (err)
		return err;
	chan_class = compat_class_create("chan");
	if (IS_ERR(chan_class)) {
		err = PTR_ERR(chan_class);
		goto unregister;
	}
	chan_class->devnode = chan_devnode;
	cdev_init(&chan_cdev, &named_fops);
	chan_cdev.owner = THIS_MODULE;
	err = cdev_add(&chan_cdev, first_devt, CHAN_MINORS);
	if (err)
		goto destroy_class;
	err = add_numbered();
	if (err)
		goto remove;
	return 0;

remove:
	remove_all();
	cdev_del(&chan_cdev);
destroy_class:
	class_destroy(chan_class);
unregister:
	unregister_chrdev_region(first_devt, CHAN_MINORS);
	return err;
}

/**
 * named_go_live - let the nodes be opened
 *
 * Not before nothing can fail any more: a module that fails to load is freed
 * whoever has its files open.
 */
void named_go_live(void)
{
	mutex_lock(&named_lock);
	live = true;
	mutex_unlock(&named_lock);
}

void named_exit(void)
{
	remove_all();
	cdev_del(&chan_cdev);
	class_destroy(chan_class);
	unregister_chrdev_region(first_devt, CHAN_MINORS);
}
