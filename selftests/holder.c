// SPDX-License-Identifier: GPL-2.0-only
/*
 * For unload.sh: hold on to a channel in one way or another, say so, and wait
 * to be killed.
 *
 *	holder end	a send end, with the scope file closed
 *	holder flight	the same, on its way to somebody in a socket
 *	holder left	leave messages in /dev/chan0 and go
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <linux/chan.h>

static int make_end(void)
{
	struct chan_create arg = { .capacity = 0 };
	int ctl = open("/dev/chanctl", O_RDWR);

	if (ctl < 0 || ioctl(ctl, CHAN_IOC_CREATE, &arg))
		return -1;
	close(ctl);
	close(arg.recv_fd);
	return arg.send_fd;
}

static int send_away(int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int sock[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sock))
		return -1;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(sock[0], &msg, 0) != 1)
		return -1;
	return close(fd);
}

static int leave_messages(void)
{
	int fd = open("/dev/chan0", O_WRONLY | O_NONBLOCK), i;

	for (i = 0; i < 4; i++)
		if (write(fd, "left", 4) != 4)
			return -1;
	return 0;
}

static int hold(const char *what)
{
	int fd = make_end();

	if (fd < 0 || (!strcmp(what, "flight") && send_away(fd)))
		return -1;
	puts("held");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	int ret;

	ret = !strcmp(what, "left") ? leave_messages() : hold(what);
	if (ret)
		fprintf(stderr, "holder %s: %s\n", what, strerror(errno));
	return ret ? 1 : 0;
}
