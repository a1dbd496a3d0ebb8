# SPDX-License-Identifier: GPL-2.0-only
#
# For people. The kernel's build reads kmod/Kbuild.
#
#	make			chan.ko for the running kernel, and the library
#	make install		both (as root)
#	make test demo bench	in a virtual machine, see scripts/
#	make lint
#	make clean
#
# KDIR is the kernel to build for.

KDIR ?= /lib/modules/$(shell uname -r)/build
KMOD := $(MAKE) -C $(KDIR) M=$(CURDIR)/kmod
# Some headers ask for type information and leave the tool for it to you.
ifeq ($(shell command -v pahole),)
KMOD += CONFIG_DEBUG_INFO_BTF_MODULES=
endif
USERLIB := $(wildcard userlib/Makefile)

all: module userlib

module:
	$(KMOD) modules

userlib:
	$(if $(USERLIB),$(MAKE) -C userlib)

install: all
	$(KMOD) modules_install
	$(if $(USERLIB),$(MAKE) -C userlib install)

clean:
	$(KMOD) clean
	$(if $(USERLIB),$(MAKE) -C userlib clean)
	rm -rf build

test demo bench lint:
	scripts/$@

.PHONY: all module userlib install clean test demo bench lint
