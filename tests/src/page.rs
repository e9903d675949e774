//! A page in Chromium that plays a story and asks for what happens outside of it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// The story that the browser plays.
pub struct Page {
    child: Child,
    input: ChildStdin,
    lines: Box<dyn Iterator<Item = String>>,
    told: Vec<String>,
}

impl Page {
    /// Starts a script of `tests/browser` with this environment; it puts screenshots into `artefacts/<folder>`.
    ///
    /// # Panics
    /// If Node.js or Playwright are missing.
    #[must_use]
    pub fn open(script: &str, folder: &str, environment: &[(&str, String)]) -> Self {
        Self::open_through(&[], script, folder, environment)
    }

    /// As [`Page::open`], started through another program such as `nsenter`.
    ///
    /// # Panics
    /// As [`Page::open`].
    #[must_use]
    pub fn open_through(
        before: &[String],
        script: &str,
        folder: &str,
        environment: &[(&str, String)],
    ) -> Self {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("browser");
        assert!(here.join("node_modules").exists(), "Playwright is missing: run tests/setup/browser.sh");
        let words = [before, &["node".into()]].concat();
        let mut child = Command::new(&words[0])
            .args(&words[1..])
            .arg(here.join(script))
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("ONEPRESS_ARTEFACTS", artefacts(folder))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is there: tests/setup/base.sh installs it");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        Self { input: child.stdin.take().expect("piped"), child, lines: Box::new(lines), told: vec![] }
    }

    /// What the page is ready for, or nothing when its story has ended.
    pub fn next_step(&mut self) -> Option<String> {
        for line in self.lines.by_ref() {
            let _ = writeln!(std::io::stderr(), "page: {line}");
            if let Some(step) = line.strip_prefix("ready: ") {
                return Some(step.to_owned());
            }
            self.told.push(line);
        }
        None
    }

    /// The step is done.
    ///
    /// # Panics
    /// If the page does not listen any more.
    pub fn go(&mut self) {
        writeln!(self.input, "go").expect("the page listens");
    }

    /// The story has ended.
    ///
    /// # Panics
    /// If it ended badly; with what the page said.
    pub fn end(mut self) {
        let status = self.child.wait().expect("it ends");
        let done = self.told.iter().any(|line| line == "done");
        assert!(status.success() && done, "the page's story failed: {:#?}", self.told);
    }
}

/// Where screenshots go.
#[must_use]
pub fn artefacts(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("artefacts").join(folder)
}
