use alarm::ticket::encode;

/// `N` random bytes from the kernel.
///
/// # Panics
/// When the kernel has no randomness to give, which it has from boot on.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the kernel gives randomness");
    bytes
}

/// `N` random bytes as base64url.
pub(crate) fn text<const N: usize>() -> String {
    encode(&bytes::<N>())
}
