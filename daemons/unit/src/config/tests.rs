use std::io::Write;

use serde::Deserialize;

use super::*;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Box {
    site: String,
    #[serde(default)]
    inputs: Vec<Input>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Input {
    line: String,
    #[serde(default = "usual")]
    debounce_ms: u32,
}

fn usual() -> u32 {
    20
}

impl Config for Box {
    type Checked = Self;

    fn check(self) -> Result<Self, Wrong> {
        for (place, input) in self.inputs.iter().enumerate() {
            if input.debounce_ms == 0 {
                return Err(Wrong::new(format!("inputs.{place}.debounce-ms"), "is 0", "give 20 to 50"));
            }
        }
        Ok(self)
    }
}

/// What `--check` would say of this text, with the file's name cut off.
fn verdict(text: &str) -> String {
    let mut file = tempfile::NamedTempFile::new().expect("temporary file");
    file.write_all(text.as_bytes()).expect("written");
    let path = file.path();
    match load::<Box>(path).and_then(|raw| check(raw, path)) {
        Ok(good) => toml::to_string(&good).expect("serialises"),
        Err(error) => error.to_string().replace(&path.display().to_string(), "FILE"),
    }
}

#[test]
fn defaults_are_filled_in() {
    let said = verdict("site = 'school'\n[[inputs]]\nline = 'BTN1'\n");
    assert!(said.contains("debounce-ms = 20"), "{said}");
}

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let said = verdict("site = 'school'\n\n[[inputs]]\nline = 'BTN1'\ndebounce = 20\n");
    assert!(said.starts_with("FILE:5: inputs.0.debounce: unknown field `debounce`"), "{said}");
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_its_line() {
    let said = verdict("site = 'school'\n[[inputs]]\nline = 'BTN1'\ndebounce-ms = 'long'\n");
    assert!(said.starts_with("FILE:4: inputs.0.debounce-ms: invalid type"), "{said}");
}

#[test]
fn a_useless_value_is_named_with_its_line_and_remedy() {
    let said = verdict("site = 'school'\n[[inputs]]\nline = 'A'\n[[inputs]]\nline = 'B'\ndebounce-ms = 0\n");
    assert_eq!(said, "FILE:6: inputs.1.debounce-ms: is 0; give 20 to 50");
}

#[test]
fn a_missing_key_names_itself() {
    let said = verdict("[[inputs]]\nline = 'BTN1'\n");
    assert!(said.contains("missing field `site`"), "{said}");
}

#[test]
fn broken_toml_names_its_line() {
    let said = verdict("site = 'school'\ninputs = [\n");
    assert!(said.starts_with("FILE:2") || said.starts_with("FILE:3"), "{said}");
}

#[test]
fn a_missing_file_says_where_the_example_is() {
    let error = load::<Box>(Path::new("/nowhere/button.toml")).expect_err("absent");
    assert!(error.to_string().starts_with("/nowhere/button.toml: cannot be read: No such file"), "{error}");
    assert!(error.to_string().contains("/usr/share/doc/onepress"), "{error}");
}

#[test]
fn an_endless_file_is_refused() {
    let error = load::<Box>(Path::new("/dev/zero")).expect_err("endless");
    assert!(error.to_string().contains("longer than"), "{error}");
}
