//! What an endpoint knows of: broadcasts by name, and who may see and publish which.

use crate::Error;
use moq_net::announce::Kind;
use moq_net::{Pattern, Patterns, broadcast, cache, origin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How long media stays in memory after it has passed, by its own time stamps: what a recorder that is late, a
/// relay that reconnects, or a seat that joins late can still have. At 2 Mbit/s a minute is 15 MB a camera.
pub const KEEP: Duration = Duration::from_secs(60);
/// Most bytes of media in memory, over all tracks; what was read least lately goes first. A minute of 64 cameras
/// at 2 Mbit/s.
pub const KEEP_BYTES: u64 = 1 << 30;

/// Names of broadcasts that somebody may see or publish: subtrees, none of which is everything unless said so.
#[derive(Clone, Debug, Default)]
pub struct Scope(Patterns);

impl Scope {
    /// Nothing.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// Everything: for another relay of the same centre, and for tests.
    pub fn everything() -> Self {
        Self(Patterns::from(Pattern::all()))
    }

    /// These names and all below them.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn below<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<Self, Error> {
        let pattern = |name: T| {
            let name = name.as_ref();
            match name.is_empty() || name.starts_with('/') {
                true => Err(Error::Name(name.into())),
                false => Pattern::subtree(name).map_err(|_| Error::Name(name.into())),
            }
        };
        names.into_iter().map(pattern).collect::<Result<Patterns, _>>().map(Self)
    }

    /// Whether a name is within it.
    pub fn holds(&self, name: &str) -> bool {
        self.0.matches(name)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }
}

/// How often anything was shown under a second name: the last part of that name.
static SHOWN: AtomicU64 = AtomicU64::new(1);

/// The broadcasts of one endpoint. Clones are the same.
#[derive(Clone)]
pub struct Origin {
    pub(crate) producer: origin::Producer,
    _driver: std::sync::Arc<Abort>,
}

struct Abort(JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A broadcast has come or gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its name.
    pub name: String,
    /// It is there.
    pub there: bool,
}

/// What comes and goes.
pub struct Listening(moq_net::announce::Consumer);

impl Origin {
    /// An empty one that keeps [`KEEP`] and [`KEEP_BYTES`]. Needs a tokio runtime.
    pub fn new() -> Self {
        Self::keeping(KEEP, KEEP_BYTES)
    }

    /// An empty one that keeps media which nobody reads for so long, and at most so many bytes. Needs a tokio runtime.
    pub fn keeping(keep: Duration, bytes: u64) -> Self {
        let mut config = origin::Config::default();
        config.pool = cache::Pool::new(cache::Config::default().with_capacity(bytes).with_expiry(keep));
        // Within a centre there are two hops at most: nothing has to settle before it is believed.
        config.update_hold = Duration::ZERO;
        config.default_max_age = keep;
        let (producer, driver) = origin::Producer::new(config);
        let task = tokio::spawn(async move { drop(moq_net::time::run(driver).await) });
        Self { producer, _driver: std::sync::Arc::new(Abort(task)) }
    }

    /// Announces a broadcast that already has its tracks.
    pub(crate) fn create(&self, name: &str) -> Result<broadcast::Producer, Error> {
        Ok(self.producer.create_broadcast(name)?)
    }

    /// Hears what comes and goes below `prefix`, beginning with what is there.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn listen(&self, prefix: &str) -> Result<Listening, Error> {
        Ok(Listening(self.reader(&Scope::below([prefix])?)?.announced()))
    }

    /// The broadcast of this name, as soon as there is one.
    pub(crate) async fn find(&self, name: &str) -> Result<broadcast::Consumer, Error> {
        Ok(self.producer.consume().routed_broadcast(name).await?)
    }

    pub(crate) fn reader(&self, scope: &Scope) -> Result<origin::Consumer, Error> {
        Ok(self.producer.consume().scope("", &scope.0)?)
    }

    pub(crate) fn reader_of(&self, scope: &Scope) -> Result<Option<origin::Consumer>, Error> {
        if scope.is_nothing() { Ok(None) } else { self.reader(scope).map(Some) }
    }

    pub(crate) fn writer_of(&self, scope: &Scope) -> Result<Option<origin::Producer>, Error> {
        if scope.is_nothing() { Ok(None) } else { Ok(Some(self.producer.scope("", &scope.0)?)) }
    }

    /// Shows `target` below another name as well, whenever it is there and until the answer is dropped: as
    /// `<name>/<n>`, another `n` each time. (Names are joined to what is held under them already where the first hop
    /// is the same, as it always is here: under one name a target that went and came back could be the old one to its
    /// readers, for ever. The target's own name is left as it is: one session that ends and begins it anew within the
    /// milliseconds that the relay needs to see the end may still be taken for the old one. A hand is slower.) Whoever
    /// reads the alias reads the target; readers that have it already keep it.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn alias(&self, name: &str, target: &str) -> Result<Alias, Error> {
        let mut listening = self.listen(target)?;
        Scope::below([name])?;
        let (origin, name, target) = (self.clone(), name.to_owned(), target.to_owned());
        let task = tokio::spawn(async move {
            let mut shown = None;
            while let Some(heard) = listening.next().await {
                if heard.name == target {
                    // What was shown before goes first: a name stands for one thing at a time.
                    drop(shown.take());
                    shown = heard.there.then(|| {
                        let name = format!("{name}/{}", SHOWN.fetch_add(1, Ordering::Relaxed));
                        Alias(tokio::spawn(origin.clone().stand_in(name, target.clone())))
                    });
                }
            }
        });
        Ok(Alias(task))
    }

    /// Answers for `name` with `target`.
    async fn stand_in(self, name: String, target: String) {
        let reader = self.producer.consume();
        let handler = match self.producer.dynamic(name.as_str(), origin::Route::default()) {
            Ok(handler) => handler,
            Err(error) => return tracing::error!(name, %error, "a second name cannot be shown"),
        };
        while let Ok(request) = handler.requested_broadcast().await {
            match reader.request_broadcast(target.as_str()).await {
                Ok(broadcast) => request.accept(broadcast),
                Err(error) => request.reject(error),
            }
        }
    }
}

impl Default for Origin {
    fn default() -> Self {
        Self::new()
    }
}

/// A second name of a broadcast.
pub struct Alias(JoinHandle<()>);

impl Drop for Alias {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listening {
    /// The next change; `None` when the origin has gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            let update = self.0.next().await?;
            let there = match update.kind {
                Kind::Announced => true,
                Kind::Retracted => false,
                _ => continue,
            };
            return Some(Heard { name: update.prefix.as_str().to_owned(), there });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_holds_what_is_below_its_names_and_nothing_else() {
        let scope = Scope::below(["room/7", "box/school-1"]).unwrap();
        for (name, holds) in [
            ("room/7", true),
            ("room/7/seat-1", true),
            ("room/70", false),
            ("room", false),
            ("box/school-1/cam/gate/1", true),
            ("box/school-10", false),
        ] {
            assert_eq!(scope.holds(name), holds, "{name}");
        }
        assert!(Scope::below([""]).is_err());
        assert!(!Scope::nothing().holds("room/7"));
        assert!(Scope::everything().holds("room/7"));
    }
}
