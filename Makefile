# SPDX-License-Identifier: GPL-2.0-only
#
# For people. The kernel's build reads kmod/Kbuild.
#
#	make			chan.ko for the running kernel, and the library
#	make install		everything (as root); what it consists of is below
#	make install-dkms	the sources of chan.ko, for DKMS to build
#	make uninstall		take away what make install puts there
#	make test demo bench	in a virtual machine, see scripts/
#	make lint
#	make clean
#
# KDIR is the kernel to build for. Everything but chan.ko goes below prefix,
# /usr/local; userlib/ and the variables below have names for the places. With
# DESTDIR all goes below that, and nothing that is running hears of it.

KDIR ?= /lib/modules/$(shell uname -r)/build
KMOD := $(MAKE) -C $(KDIR) M=$(CURDIR)/kmod
# Some headers ask for type information and leave the tool for it to you.
ifeq ($(shell command -v pahole),)
KMOD += CONFIG_DEBUG_INFO_BTF_MODULES=
endif
USERLIB := $(wildcard userlib/Makefile)
# The library says it; what has to repeat it is compared by selftests/install.sh.
VERSION := $(shell sed -n 's/^.define LIBCHAN_VERSION[^"]*"\(.*\)"$$/\1/p' \
	     userlib/include/chan.h)

PREFIX ?= /usr/local
prefix ?= $(PREFIX)
docdir ?= $(prefix)/share/doc/chan
udevrulesdir ?= $(prefix)/lib/udev/rules.d
sysusersdir ?= $(prefix)/lib/sysusers.d
dkmsdir ?= /usr/src/chan-$(VERSION)
PYTHON ?= python3
# Where that Python looks for modules below prefix.
pythondir ?= $(shell $(PYTHON) scripts/lib/pythondir $(prefix))

INSTALL ?= install
INSTALL_DATA = $(INSTALL) -D -m 644

all: module userlib

module:
	$(KMOD) modules

userlib:
	$(if $(USERLIB),$(MAKE) -C userlib)

install: install-module install-userlib install-python install-system

# depmod needs more of the kernel than a DESTDIR has; and kbuild leaves it out
# where it has the headers alone.
install-module: module
	$(KMOD) modules_install INSTALL_MOD_PATH=$(DESTDIR) DEPMOD=true
ifeq ($(DESTDIR),)
	depmod -a "$$(cat $(KDIR)/include/config/kernel.release)"
endif

install-userlib: userlib
	$(MAKE) -C userlib install
ifeq ($(DESTDIR),)
	ldconfig
endif

install-python:
	cd userlib/python && for file in chan/*.py chan/py.typed; do \
		$(INSTALL_DATA) $$file $(DESTDIR)$(pythondir)/$$file || exit; \
	done

# The group comes before the rule that names it.
install-system:
	$(INSTALL_DATA) scripts/system/sysusers.conf $(DESTDIR)$(sysusersdir)/chan.conf
ifeq ($(DESTDIR),)
	systemd-sysusers $(sysusersdir)/chan.conf || groupadd --force --system chan
endif
	$(INSTALL_DATA) scripts/system/60-chan.rules $(DESTDIR)$(udevrulesdir)/60-chan.rules
	$(INSTALL_DATA) scripts/system/modules-load.conf \
		$(DESTDIR)$(docdir)/examples/modules-load.d/chan.conf
	$(INSTALL_DATA) scripts/system/modprobe.conf \
		$(DESTDIR)$(docdir)/examples/modprobe.d/chan.conf

install-dkms:
	for file in $(filter-out %.mod.c,$(wildcard kmod/Kbuild kmod/*.[ch])) uapi/linux/chan.h; do \
		$(INSTALL_DATA) $$file $(DESTDIR)$(dkmsdir)/$$file || exit; \
	done
	sed 's/#MODULE_VERSION#/$(VERSION)/' dkms.conf >$(DESTDIR)$(dkmsdir)/dkms.conf

# What is installed into an empty place is what there is to take away; of the
# directories, those of this project.
uninstall:
	stage=$$(mktemp -d) && trap 'rm -rf "$$stage"' EXIT && \
	$(MAKE) install DESTDIR="$$stage" && cd "$$stage" && \
	find . ! -type d -printf '$(DESTDIR)/%P\0' | xargs -0 rm -f && \
	rm -rf $(DESTDIR)$(pythondir)/chan/__pycache__ && \
	{ find . -depth -type d -path '*/chan*' -printf '$(DESTDIR)/%P\0' | \
		xargs -0r rmdir --ignore-fail-on-non-empty 2>/dev/null || :; }
ifeq ($(DESTDIR),)
	depmod -a "$$(cat $(KDIR)/include/config/kernel.release)"
	ldconfig
endif

clean:
	$(KMOD) clean
	$(if $(USERLIB),$(MAKE) -C userlib clean)
	rm -rf build

test demo bench lint:
	scripts/$@

.PHONY: all module userlib install install-module install-userlib install-python \
	install-system install-dkms uninstall clean test demo bench lint
