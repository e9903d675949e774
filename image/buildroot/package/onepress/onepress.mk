################################################################################
#
# onepress
#
################################################################################

ONEPRESS_SITE = $(realpath $(BR2_EXTERNAL_ONEPRESS_PATH)/../..)
ONEPRESS_SITE_METHOD = local
ONEPRESS_LICENSE = MIT or Apache-2.0
ONEPRESS_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
# What grows in a working copy and is no source.
ONEPRESS_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /.cache --exclude node_modules

# node makes the console, which goes into the desk: `make console`, before.
define ONEPRESS_CHECK_CONSOLE
	test -e $(@D)/daemons/desk/console/dist/index.html || \
		{ echo "onepress: make console first" >&2; exit 1; }
endef
ONEPRESS_PRE_CONFIGURE_HOOKS += ONEPRESS_CHECK_CONSOLE

# A local source is not vendored by the download step.
define ONEPRESS_FETCH_CRATES
	cd $(@D) && $(TARGET_MAKE_ENV) $(PKG_CARGO_ENV) cargo fetch --locked
endef
ONEPRESS_PRE_BUILD_HOOKS += ONEPRESS_FETCH_CRATES

# The list is install.mk's, as for every other image.
define ONEPRESS_INSTALL_TARGET_CMDS
	$(MAKE) -C $(@D) -f install.mk install DESTDIR=$(TARGET_DIR) \
		BUILT=target/$(RUSTC_TARGET_NAME)/$(if $(BR2_ENABLE_DEBUG),debug,release)
endef

$(eval $(cargo-package))
