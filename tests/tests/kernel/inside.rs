//! Into the kernel and back: a story is this very test, run again in there.

use onepress_tests::uml::Uml;

const INSIDE: &str = "ONEPRESS_IN_A_KERNEL";

/// Where the board files are, seen from inside.
pub(crate) const BOARDS: &str = "BOARDS";

/// Boots a kernel, runs the story of the calling test in it, and shows what it said.
pub(crate) fn in_a_kernel<Story: FnOnce()>(story: Story) {
    if std::env::var_os(INSIDE).is_some() {
        return story();
    }
    let said = Uml::script("$TEST --exact $NAME --nocapture")
        .program("TEST", &std::env::current_exe().expect("own path"))
        .path(BOARDS, &onepress_tests::install::workspace().join("hw/boards"))
        .env("NAME", name::<Story>())
        .env(INSIDE, "yes")
        .run();
    println!("{:?} in the kernel", said.took);
    println!("{}", said.success());
}

/// The test in which the story stands: `crate::test::{{closure}}`.
fn name<Story>() -> &'static str {
    let path = std::any::type_name::<Story>();
    path.split("::").nth(1).expect("a closure in a test of this crate")
}
