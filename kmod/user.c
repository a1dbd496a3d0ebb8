// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much one user makes the module hold: a count for each kind of object,
 * bounded by a module parameter.  The memory itself is charged to the memory
 * cgroup where it is allocated.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/hashtable.h>
#include <linux/moduleparam.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "user.h"

unsigned int chan_max_channels = 1024;
module_param_named(max_channels, chan_max_channels, uint, 0644);
MODULE_PARM_DESC(max_channels,
		 "Anonymous channels that one user may have (default 1024)");

unsigned int chan_max_scopes = 128;
module_param_named(max_scopes, chan_max_scopes, uint, 0644);
MODULE_PARM_DESC(max_scopes,
		 "Scopes that one user may have open (default 128)");

/**
 * chan_alloc - memory that a user makes the module hold
 * @size: bytes
 * @gfp: %GFP_CHAN, or for less than a page what does not fail
 *
 * For what is longer than a page, pages that lie side by side are not tried hard
 * for; kvmalloc() would, when told to fail rather than kill somebody.
 *
 * Return: the memory, for kvfree(); %NULL if there is none.
 */
void *chan_alloc(size_t size, gfp_t gfp)
{
	void *p;

	if (size <= PAGE_SIZE)
		return kmalloc(size, gfp);
	p = kmalloc(size, (gfp & ~__GFP_RETRY_MAYFAIL) | __GFP_NORETRY);
	return p ?: __vmalloc(size, gfp);
}

static DEFINE_HASHTABLE(users, 6);
static DEFINE_MUTEX(users_lock);

static struct chan_user *user_find(kuid_t uid)
{
	struct chan_user *user;

	hash_for_each_possible(users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/*
 * Find the entry of a user, or have @fresh be it, unless that is %NULL; with a
 * reference.
 */
static struct chan_user *user_enter(kuid_t uid, struct chan_user *fresh)
{
	struct chan_user *user;

	mutex_lock(&users_lock);
	user = user_find(uid);
	if (user) {
		refcount_inc(&user->ref);
	} else if (fresh) {
		user = fresh;
		refcount_set(&user->ref, 1);
		user->uid = uid;
		hash_add(users, &user->node, __kuid_val(uid));
	}
	mutex_unlock(&users_lock);
	return user;
}

/* Find or make the entry of the current user, with a reference. */
static struct chan_user *user_get(void)
{
	kuid_t uid = current_uid();
	struct chan_user *user = user_enter(uid, NULL);
	struct chan_user *fresh;

	if (user)
		return user;
	/* Without the lock: others are not to wait for this user's memory. */
	fresh = kzalloc(sizeof(*fresh), GFP_CHAN);
	if (!fresh)
		return NULL;
	user = user_enter(uid, fresh);
	if (user != fresh)
		kfree(fresh);
	return user;
}

static void user_put(struct chan_user *user)
{
	if (!refcount_dec_and_mutex_lock(&user->ref, &users_lock))
		return;
	hash_del(&user->node);
	mutex_unlock(&users_lock);
	kfree(user);
}

static bool count_below(atomic_t *count, unsigned int limit)
{
	if (atomic_inc_return(count) <= limit || capable(CAP_SYS_RESOURCE))
		return true;
	atomic_dec(count);
	return false;
}

/**
 * chan_user_charge_channel - charge an anonymous channel to the current user
 *
 * Return: the user, for chan_user_uncharge_channel(); or %-EDQUOT, %-ENOMEM.
 */
struct chan_user *chan_user_charge_channel(void)
{
	struct chan_user *user = user_get();

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (count_below(&user->channels, READ_ONCE(chan_max_channels)))
		return user;
	user_put(user);
	return ERR_PTR(-EDQUOT);
}

/**
 * chan_user_charge_scope - charge a scope to the current user
 *
 * Return: the user, for chan_user_uncharge_scope(); or %-EDQUOT, %-ENOMEM.
 */
struct chan_user *chan_user_charge_scope(void)
{
	struct chan_user *user = user_get();

	if (!user)
		return ERR_PTR(-ENOMEM);
	if (count_below(&user->scopes, READ_ONCE(chan_max_scopes)))
		return user;
	user_put(user);
	return ERR_PTR(-EDQUOT);
}

/**
 * chan_user_uncharge_channel - a channel is gone
 * @user: whom it was charged to
 */
void chan_user_uncharge_channel(struct chan_user *user)
{
	atomic_dec(&user->channels);
	user_put(user);
}

/**
 * chan_user_uncharge_scope - a scope is gone
 * @user: whom it was charged to
 */
void chan_user_uncharge_scope(struct chan_user *user)
{
	atomic_dec(&user->scopes);
	user_put(user);
}
