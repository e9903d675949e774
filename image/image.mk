# The appliance image. PROFILE is the appliance's role here, not cargo's profile: that one is CARGO_PROFILE.
#
#   make image PROFILE=rack                 disk, root, verity, UKI, manifest, SBOM in .cache/image/out/rack/<version>/
#   make image PROFILE=edge-x86 VERSION=2   under another version
#   make image PROFILE=rack CARGO_PROFILE=dev   without link-time optimisation, for trying things out
#   make stick PROFILE=edge-x86             the installation stick made of it, for `onepress flash`
#   make bundle PROFILE=edge-x86            the signed update made of it, for `onepress update`
#   make reproduce PROFILE=edge-x86         whether it comes out the same once more; reproduce-programs: what is in it
#   make test-image                         all that is shown in virtual machines, on x86-64
#   make test-image-short                   what a CI step has time for (.ci/image)
#   make test-image-arm64                   the same for the box on arm64: cross build, UEFI, a Pi's two slots
#   make powercut N=200                     power cuts alone, as many as one likes

IMAGE_PROFILES := rack edge-x86 edge-arm64
CARGO_PROFILE ?= dist
VERSION ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
IMAGE_BUILT = target/$(if $(filter edge-arm64,$(PROFILE)),aarch64-unknown-linux-gnu/)$(if $(filter dev,$(CARGO_PROFILE)),debug,$(CARGO_PROFILE))

.PHONY: image stick bundle reproduce reproduce-programs setup-image
image: image-profile setup-base setup-image console ## The appliance image: make image PROFILE=rack|edge-x86|edge-arm64
	$(if $(filter edge-arm64,$(PROFILE)),image/cross-arm64.sh $(CARGO_PROFILE),nice -n 10 cargo build --profile $(CARGO_PROFILE) --bins)
	image/tools.sh
	image/build.sh $(PROFILE) $(VERSION) $(IMAGE_BUILT)

stick: image-profile ## The installation stick made of an image
	image/stick.sh $(PROFILE) $(VERSION)

bundle: image-profile ## The signed update made of an image
	image/bundle.sh $(PROFILE) $(VERSION)

reproduce: image-profile ## Whether a built image comes out the same once more: make reproduce PROFILE=rack
	image/reproduce.sh $(PROFILE) $(VERSION) $(IMAGE_BUILT)

reproduce-programs: console ## Whether the built programs come out the same once more, in another folder
	image/reproduce-programs.sh $(CARGO_PROFILE) $(PROGRAMS)

setup-image:
	@tests/setup/image.sh

.PHONY: image-profile
image-profile:
	@[ -n "$(filter $(PROFILE),$(IMAGE_PROFILES))" ] || { echo "PROFILE must be one of: $(IMAGE_PROFILES)" >&2; exit 1; }

# What the virtual machines run: both roles, the stick, a good update and one that is broken.
TESTED := $(CURDIR)/.cache/image/out
.PHONY: test-images-few test-images test-image test-image-short test-image-arm64 powercut
test-images-few: setup-base setup-image setup-nextest console
	$(MAKE) --no-print-directory image PROFILE=rack VERSION=1
	$(MAKE) --no-print-directory image PROFILE=edge-x86 VERSION=1
	$(MAKE) --no-print-directory image bundle PROFILE=edge-x86 VERSION=2

test-images: test-images-few
	$(MAKE) --no-print-directory stick bundle PROFILE=edge-x86 VERSION=1
	$(MAKE) --no-print-directory image PROFILE=edge-x86 VERSION=3 IMAGE_EXTRA=tests/tests/image/broken
	$(MAKE) --no-print-directory bundle PROFILE=edge-x86 VERSION=3
	tests/setup/gpio_sim.sh $(TESTED)/edge-x86/1/onepress-edge-x86_1.manifest

test-image: test-images ## The appliance image in virtual machines (three hours on two cores)
	cargo nextest run --workspace --test image --profile image --no-fail-fast -E 'not test(pi::)'

# Programs that are built quickly make larger images, which is why the test of sizes is not among these.
test-image-short: export CARGO_PROFILE = dev
test-image-short: test-images-few ## Of test-image, what a CI step has time for (about an hour)
	cargo nextest run --workspace --test image --profile image --no-fail-fast \
	  -E 'test(a_press_at_the_box) | test(no_power_cut) | test(files::) - test(sizes)'

test-image-arm64: setup-base setup-image setup-nextest console ## The box on arm64 in virtual machines
	$(MAKE) --no-print-directory image PROFILE=edge-arm64 VERSION=1
	$(MAKE) --no-print-directory image bundle PROFILE=edge-arm64 VERSION=2
	$(MAKE) --no-print-directory image bundle PROFILE=edge-arm64 VERSION=3
	cargo nextest run --workspace --test image --profile image --no-fail-fast -E 'test(pi::)'

powercut: test-images ## Power cuts at N moments of a box's life, BOOTS of them started: make powercut N=200 BOOTS=10 SEED=1
	ONEPRESS_CUTS=$(or $(N),200) ONEPRESS_BOOTS=$(or $(BOOTS),10) ONEPRESS_SEED=$(or $(SEED),1) \
	  cargo nextest run --workspace --test image --profile image --no-capture -E 'test(no_power_cut)'
