# Puts what was built where it belongs below DESTDIR: the one list of files that every image recipe shares.
#
#   make install DESTDIR=/tmp/root                      what `cargo build --release` made
#   make install DESTDIR=... PROFILE=dist               another profile (dev, release, dist)
#   make install DESTDIR=... BUILT=target/aarch64-unknown-linux-gnu/dist    another machine's
#   make install DESTDIR=... ROLE=edge                  without what only a rack runs; ROLE=rack: the other way round
#
# It builds nothing, enables nothing and overwrites no configuration. Which role a machine has is decided by
# enabling onepress-edge.target or onepress-rack.target.

DESTDIR ?=
PROFILE ?= release
CARGO_TARGET_DIR ?= target
BUILT ?= $(CARGO_TARGET_DIR)/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))

INSTALLED_BINARIES := onepress onepress-button onepress-camera onepress-desk onepress-relay onepress-wall
ROLE ?=
# The names of daemons that this role does not run: without a role, all may.
elsewhere := $(if $(filter edge,$(ROLE)),desk relay wall rack) $(if $(filter rack,$(ROLE)),button camera edge)
ours = $(foreach one,$(1),$(if $(strip $(foreach name,$(elsewhere),$(findstring onepress-$(name),$(one)))),,$(one)))
INSTALLED_UNITS := $(call ours,$(wildcard systemd/*.service systemd/*.socket systemd/*.target systemd/*.path))
INSTALLED_DROPINS := $(call ours,$(wildcard systemd/*.d/*.conf))
# Units that are no daemons: the same files for all of them say how they live.
INSTALLED_JOBS := onepress-health.service onepress-seal.service onepress-update.service onepress-update-.service
INSTALLED_RULES := $(wildcard udev/*.rules)
INSTALLED_EXAMPLES := $(wildcard daemons/*/*.toml.example)
INSTALLED_BOARDS := $(wildcard hw/boards/*.toml)

bindir := $(DESTDIR)/usr/bin
unitdir := $(DESTDIR)/usr/lib/systemd/system
docdir := $(DESTDIR)/usr/share/doc/onepress
confdir := $(DESTDIR)/etc/onepress

.PHONY: install install-binaries install-system install-config
install: install-binaries install-system install-config

install-binaries:
	install -d $(bindir)
	install -m 0755 $(patsubst %,$(BUILT)/%,$(call ours,$(INSTALLED_BINARIES))) $(bindir)

install-system:
	install -d $(unitdir)
	install -m 0644 $(INSTALLED_UNITS) $(unitdir)
	for dropin in $(INSTALLED_DROPINS:systemd/%=%); do \
	  install -D -m 0644 systemd/$$dropin $(unitdir)/$$dropin || exit 1; \
	done
	for job in $(INSTALLED_JOBS); do \
	  install -D -m 0644 -t $(unitdir)/$$job.d systemd/jobs/*.conf || exit 1; \
	done
	install -D -m 0644 systemd/onepress.sysusers $(DESTDIR)/usr/lib/sysusers.d/onepress.conf
	install -D -m 0644 systemd/onepress.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/onepress.conf
	install -D -m 0644 systemd/onepress.modules $(DESTDIR)/usr/lib/modules-load.d/onepress.conf
	install -D -m 0644 -t $(DESTDIR)/usr/lib/udev/rules.d $(INSTALLED_RULES)

# A configuration that is already there is somebody's work.
install-config:
	install -d $(docdir) $(confdir) $(DESTDIR)/usr/share/onepress/boards
	$(if $(INSTALLED_EXAMPLES),install -m 0644 $(INSTALLED_EXAMPLES) $(docdir))
	for example in $(INSTALLED_EXAMPLES); do \
	  config=$(confdir)/$$(basename $$example .example); \
	  [ -e $$config ] || install -m 0644 $$example $$config || exit 1; \
	done
	$(if $(INSTALLED_BOARDS),install -m 0644 $(INSTALLED_BOARDS) $(DESTDIR)/usr/share/onepress/boards)
