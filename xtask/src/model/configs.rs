//! The generated files of `fvp-configs/fvp-base-revc`: what owners of the model need to run it without xtask.

use super::parameters::{self, Parameter};
use crate::{
    assemble,
    board::{FVP_BASE_REVC, Flow, Media, QEMU_VIRT},
    paths,
    scenario::{self, Manifest},
};
use anyhow::{Context, Result};
use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// How they are made again.
const COMMAND: &str = "cargo xtask fvp --write-configs";

/// A load address below 4 GiB in two cells, and what makes one cell of it.
const TWO_CELLS: &str = "load-address = <0x0 ";
const ONE_CELL: &str = "load-address = <";

/// Names and texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configs(Vec<(String, String)>);

impl Configs {
    /// Makes them: the manifests of `run`, the layout of its packages, parameters and scripts.
    ///
    /// # Errors
    /// A manifest cannot be read.
    pub fn generate() -> Result<Self> {
        let scenario = scenario::run();
        let mut files = Vec::new();
        for manifest in [&scenario.spmc, &scenario.vm] {
            files.push((manifest.file.to_owned(), translated(manifest)?));
        }
        for partition in &scenario.partitions {
            // TF-A's build takes the address from the first cell.
            let text = translated(&partition.manifest)?.replace(TWO_CELLS, ONE_CELL);
            files.push((partition.manifest.file.to_owned(), text));
        }
        let layout: serde_json::Map<_, _> = scenario
            .partitions
            .iter()
            .map(|partition| {
                let entry = serde_json::json!({
                    "image": format!("{}.bin", partition.binary.name),
                    "pm": partition.manifest.file,
                    "owner": "Plat",
                });
                (partition.name.to_owned(), entry)
            })
            .collect();
        let layout = serde_json::to_string_pretty(&layout)?;
        files.push(("sp_layout.json".to_owned(), layout + "\n"));
        files.push((
            "model.params".to_owned(),
            parameter_file("Both ways of booting.", &parameters::common()),
        ));
        let places = FVP_BASE_REVC
            .flow(Flow::Preloaded)
            .and_then(|flow| match flow.media {
                Media::Memory(places) => Some(places),
                _ => None,
            })
            .context("the board cannot be booted with everything in memory")?;
        files.push((
            "preloaded.params".to_owned(),
            parameter_file(
                "Every core starts in BL31.",
                &parameters::reset_address(places.bl31),
            ),
        ));
        let flash = parameters::flash("$images/bl1.bin", "$images/fip.bin");
        files.push((
            "run-bl1.sh".to_owned(),
            script("bl1.bin and fip.bin", &["model.params"], &flash, &[]),
        ));
        let mut data = vec![
            parameters::data("$images/bl31.bin", places.bl31),
            parameters::data("$images/spmc.bin", FVP_BASE_REVC.spmc_base),
            parameters::data("$images/spmc-manifest.dtb", places.manifest),
            parameters::data("$images/bl33.bin", FVP_BASE_REVC.bl33_base),
            parameters::data(
                &format!("$images/{}", places.device_tree_file),
                places.device_tree,
            ),
        ];
        for (name, address) in assemble::placed(&scenario, &FVP_BASE_REVC)? {
            data.push(parameters::data(
                &format!("$images/{name}.pkg"),
                address.into(),
            ));
        }
        files.push((
            "run-preloaded.sh".to_owned(),
            script(
                "bl31.bin, spmc.bin and what else is named below",
                &["model.params", "preloaded.params"],
                &[],
                &data,
            ),
        ));
        Ok(Self(files))
    }

    /// Where they belong.
    pub fn folder() -> PathBuf {
        paths::board(FVP_BASE_REVC.name)
    }

    /// Writes them.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<()> {
        for (name, text) in &self.0 {
            let file = folder.join(name);
            paths::write(&file, text)?;
            if Path::new(name).extension().is_some_and(|end| end == "sh") {
                fs::set_permissions(&file, fs::Permissions::from_mode(0o755))
                    .with_context(|| format!("cannot make {} executable", file.display()))?;
            }
        }
        Ok(())
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }
}

fn translated(manifest: &Manifest) -> Result<String> {
    let text = assemble::manifest_text(&FVP_BASE_REVC, manifest)?;
    let head = format!(
        "/* Made of ../{}/{} by `{COMMAND}`: change that, not this. */\n",
        QEMU_VIRT.name, manifest.file
    );
    Ok(head + &text)
}

/// What the model's option `-f` reads.
fn parameter_file(about: &str, parameters: &[Parameter]) -> String {
    let mut text = format!("# {about} Made by `{COMMAND}`.\n");
    for (name, value) in parameters {
        let _ = writeln!(text, "{name}={value}");
    }
    text
}

fn script(wanted: &str, files: &[&str], parameters: &[Parameter], data: &[[String; 2]]) -> String {
    let mut text = format!(
        "#!/bin/sh\n\
         # Runs Arm's model with the images of a folder; the UARTs go to files there. FVP_BASE_REVC names the\n\
         # model, if it is not in PATH. Made by `{COMMAND}`.\n\
         set -eu\n\
         images=${{1:?usage: $0 FOLDER, with {wanted}}}\n\
         here=$(dirname \"$0\")\n\
         exec \"${{FVP_BASE_REVC:-{}}}\"",
        super::BINARY
    );
    for file in files {
        let _ = write!(text, " \\\n\t-f \"$here/{file}\"");
    }
    let uarts = parameters::uart_files(Path::new("$images"));
    for (name, value) in parameters.iter().chain(&uarts) {
        let _ = write!(text, " \\\n\t-C {name}=\"{value}\"");
    }
    for [option, value] in data {
        let _ = write!(text, " \\\n\t{option} \"{value}\"");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_what_the_generator_writes() {
        let folder = Configs::folder();
        for (name, text) in Configs::generate().unwrap().0 {
            let found = fs::read_to_string(folder.join(&name)).unwrap_or_default();
            assert_eq!(
                found, text,
                "{name} is not what it is made of: run `{COMMAND}`"
            );
        }
    }

    #[test]
    fn nothing_else_is_generated() {
        let configs = Configs::generate().unwrap();
        let names: Vec<_> = configs.names().collect();
        for entry in fs::read_dir(Configs::folder()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(
                name == "README.md" || names.contains(&name.as_str()),
                "{name}"
            );
        }
    }

    #[test]
    fn the_scripts_call_the_model_with_every_parameter() {
        let folder = std::env::temp_dir().join(format!("tantalum-scripts-{}", std::process::id()));
        let configs = Configs::generate().unwrap();
        configs.write(&folder).unwrap();
        for (script, wanted) in [
            ("run-bl1.sh", "-C bp.flashloader0.fname=/i/fip.bin"),
            (
                "run-preloaded.sh",
                "--data cluster0.cpu0=/i/spmc.bin@0x6000000",
            ),
        ] {
            // `echo` in the model's place.
            let output = std::process::Command::new(folder.join(script))
                .arg("/i")
                .env("FVP_BASE_REVC", "echo")
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.contains(wanted), "{text}");
            assert!(text.contains("/model.params"), "{text}");
            assert!(
                text.contains("-C bp.pl011_uart3.out_file=/i/uart3.log"),
                "{text}"
            );
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
