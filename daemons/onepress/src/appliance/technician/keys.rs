use ssh_key::public::KeyData;
use ssh_key::{Algorithm, HashAlg, PublicKey};
use std::fmt;
use unit::config::Wrong;

/// A centre has a handful of technicians; more are a list that nobody keeps.
const KEYS_MAX: usize = 16;
/// Longest line: an Ed25519 key has 80 characters, its comment a name.
const LINE_MAX: usize = 300;
/// Where in site.toml they are.
const PLACE: &str = "technician.keys";

/// Who may come in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(Vec<Key>);

/// The public half of somebody's key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(PublicKey);

impl Keys {
    /// Reads them as `authorized_keys` has them: `ssh-ed25519 AAAA... name`, one each, with nothing before.
    ///
    /// # Errors
    /// Key, reason and remedy.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, Wrong> {
        let mut keys: Vec<Key> = Vec::new();
        for line in lines {
            let key = Key::parse(line)?;
            if let Some(same) = keys.iter().find(|known| known.0.key_data() == key.0.key_data()) {
                return Err(wrong(line, &format!("is that of {} again", same.name()), "give each key once"));
            }
            keys.push(key);
        }
        if keys.len() > KEYS_MAX {
            return Err(Wrong::new(PLACE, format!("are {}", keys.len()), format!("give at most {KEYS_MAX}")));
        }
        Ok(Self(keys))
    }

    /// Nobody may.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line each, as [`Keys::parse`] reads them.
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().filter_map(|key| key.0.to_openssh().ok());
        lines.map(|line| line + "\n").collect()
    }

    pub(super) fn find(&self, data: &KeyData) -> Option<&Key> {
        self.0.iter().find(|key| key.0.key_data() == data)
    }
}

impl Key {
    fn parse(line: &str) -> Result<Self, Wrong> {
        let remedy = "give the one line of a .pub file made by `ssh-keygen -t ed25519 -C name`";
        if line.len() > LINE_MAX || line.lines().count() != 1 {
            return Err(wrong(line, "is not one line of at most 300 characters", remedy));
        }
        let key = PublicKey::from_openssh(line)
            .map_err(|why| wrong(line, &format!("is no key ({why})"), remedy))?;
        if key.algorithm() != Algorithm::Ed25519 {
            return Err(wrong(line, &format!("is a key of the kind {}", key.algorithm()), remedy));
        }
        let good = |c: char| c.is_ascii_alphanumeric() || "@._-+ ".contains(c);
        if key.comment().trim().is_empty() || !key.comment().chars().all(good) {
            let remedy = "end the line with a name: the log says who was here";
            return Err(wrong(line, "names nobody, or with strange letters", remedy));
        }
        Ok(Self(key))
    }

    /// Whose it is: its comment.
    pub fn name(&self) -> &str {
        self.0.comment().trim()
    }

    /// As `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.key_data().ed25519().map_or(&[], |key| &key.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} {})", self.name(), self.fingerprint())
    }
}

/// The beginning of the line is enough to find it.
fn wrong(line: &str, why: &str, remedy: &str) -> Wrong {
    let begin: String = line.chars().take(40).collect();
    Wrong::new(PLACE, format!("has {begin:?}, which {why}"), remedy)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) const LI: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ li@centre";

    #[test]
    fn a_list_reads_back() {
        let keys = Keys::parse([LI]).unwrap();
        assert_eq!(keys.0[0].name(), "li@centre");
        assert!(keys.0[0].fingerprint().starts_with("SHA256:"));
        assert_eq!(Keys::parse(keys.to_text().lines()).unwrap(), keys);
        assert!(Keys::parse([]).unwrap().is_empty());
    }

    #[test]
    fn what_cannot_be_meant_is_named_with_the_remedy() {
        let nobody = LI.trim_end_matches("li@centre").trim();
        let option = format!("no-pty {LI}");
        let two = format!("{LI}\n{LI}");
        let odd = LI.replace("li@centre", "li\u{1b}[2J");
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAQQDT6k3SE9qPzUSuMTrsTZSuGDJg3kzSAvOw6+gRcgLnWQDEdR5HB+y5Bqj+XX2I+YBBTUCvCFuc/CQ4Me+Yc8DJ li";
        for (line, why) in [
            ("", "is not one line"),
            ("ssh-ed25519 AAAA li", "is no key"),
            (nobody, "names nobody"),
            (option.as_str(), "is no key"),
            (two.as_str(), "is not one line"),
            (odd.as_str(), "names nobody"),
            (rsa, "is a key of the kind ssh-rsa"),
        ] {
            let error = Keys::parse([line]).unwrap_err().to_string();
            assert!(error.contains(PLACE) && error.contains(why), "{line}: {error}");
        }
        assert!(Keys::parse([LI, LI]).unwrap_err().to_string().contains("again"));
    }
}
