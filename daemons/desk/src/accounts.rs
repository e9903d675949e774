//! Passwords: Argon2id (RFC 9106), a few at a time, so that signing in never starves the alarm path.

use crate::{Engine, random};
use alarm::UserId;
use anyhow::Context;
use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use journal::Secret;
use std::sync::LazyLock;
use tokio::sync::Semaphore;

/// Shortest password, in characters (NIST SP 800-63B asks for 8; this console is on the police network).
pub const PASSWORD_MIN: usize = 10;
/// Longest, in bytes: more is somebody else's file.
pub const PASSWORD_MAX: usize = 200;
/// Each takes 19 MiB and a core for some tens of milliseconds.
const AT_ONCE: usize = 2;

static TURNS: Semaphore = Semaphore::const_new(AT_ONCE);
/// Checked when there is no such user, so that the answer takes as long.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&random::text::<16>()).unwrap_or_default());

/// Whether a password is long enough to be taken.
pub fn is_usable(password: &str) -> bool {
    password.chars().count() >= PASSWORD_MIN && password.len() <= PASSWORD_MAX
}

/// Hashes a password and keeps it for `user`.
///
/// # Errors
/// When it cannot be written down.
pub async fn keep(engine: &Engine, user: &UserId, password: String) -> anyhow::Result<()> {
    let hash = in_turn(move || hash_now(&password)).await??;
    engine.keep_secret(Secret::Password, user.as_str(), hash.as_bytes()).await
}

/// Forgets a user's password.
///
/// # Errors
/// When the store cannot be written.
pub async fn forget(engine: &Engine, user: &UserId) -> anyhow::Result<()> {
    engine.forget_secret(Secret::Password, user.as_str()).await
}

/// Whether `password` is the user's. Takes the same time when there is no such user.
///
/// # Errors
/// When the store cannot be read.
pub async fn check(engine: &Engine, user: &UserId, password: String) -> anyhow::Result<bool> {
    let kept = engine.secret(Secret::Password, user.as_str()).await?;
    let known = kept.is_some();
    let right = in_turn(move || {
        let kept = kept.and_then(|hash| String::from_utf8(hash).ok()).unwrap_or_else(|| NOBODY.clone());
        PasswordHash::new(&kept)
            .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
    });
    Ok(right.await? && known)
}

async fn in_turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    let _turn = TURNS.acquire().await.context("waiting for a turn to hash a password")?;
    tokio::task::spawn_blocking(work).await.context("hashing a password")
}

fn hash_now(password: &str) -> anyhow::Result<String> {
    let salt =
        SaltString::encode_b64(&random::bytes::<16>()).map_err(|error| anyhow::anyhow!("salt: {error}"))?;
    let hash = Argon2::default().hash_password(password.as_bytes(), &salt);
    Ok(hash.map_err(|error| anyhow::anyhow!("hashing a password: {error}"))?.to_string())
}
