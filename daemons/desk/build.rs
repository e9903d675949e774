//! Puts the built console into the binary.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("console/dist");
    println!("cargo:rerun-if-changed={}", root.display());
    if !root.join("index.html").exists() {
        println!(
            "cargo:warning=the console is not built: run `make console`; this desk will have no page to show"
        );
    }
    let mut files = Vec::new();
    if root.exists() {
        collect(&root, &mut files)?;
    }
    let mut names: Vec<_> = files.iter().filter_map(|file| Some((name(&root, file)?, file))).collect();
    names.sort();
    let mut code = String::from("static FILES: &[(&str, &str, &[u8])] = &[\n");
    for (name, file) in names {
        let line =
            format!("    ({name:?}, {:?}, include_bytes!({:?})),", kind(&name), file.display().to_string());
        writeln!(code, "{line}").map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    fs::write(PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("assets.rs"), code)
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn name(root: &Path, file: &Path) -> Option<String> {
    Some(file.strip_prefix(root).ok()?.to_str()?.to_owned())
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
