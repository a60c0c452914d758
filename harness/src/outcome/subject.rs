// SPDX-License-Identifier: MIT
//! What a run was of: the program, its arguments, and all else that it was given.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::workload::archive::Contents;

/// What a run was of. Two runs of equal subjects do the same, as far as that depends on what they were given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The digest of the program's file, as `sha256sum` prints it.
    pub elf_sha256: Option<String>,
    /// The program's name and arguments.
    pub arguments: Vec<String>,
    /// A digest of environment, standard input and files; zero where these are not known.
    given: u128,
}

impl Subject {
    /// A program with arguments, whatever else it is given.
    pub fn program(elf: Option<&[u8]>, argv: &[Vec<u8>]) -> Self {
        let hex = |elf| Sha256::digest(elf).iter().map(|byte| format!("{byte:02x}")).collect();
        let arguments = argv.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect();
        Self { elf_sha256: elf.map(hex), arguments, given: 0 }
    }

    /// All that a boot carries.
    pub fn new(contents: &Contents) -> Self {
        let first_module = || contents.modules.first().map(|module| module.bytes.as_slice());
        let elf = contents.program.as_deref().or_else(first_module);
        Self { given: contents.digest(), ..Self::program(elf, &contents.argv) }
    }

    /// What is different in another one, in words; none if nothing is.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let both = |of: fn(&Self) -> String| format!("{} against {}", of(self), of(other));
        if self.elf_sha256 != other.elf_sha256 {
            let digest = |it: &Self| {
                it.elf_sha256
                    .as_deref()
                    .map_or("none".into(), |digest| digest.get(..12).unwrap_or(digest).into())
            };
            return Some(format!("another program: the SHA-256 of its file begins with {}", both(digest)));
        }
        if self.arguments != other.arguments {
            return Some(format!("other arguments: {}", both(|it| format!("{:?}", it.arguments))));
        }
        (self.given != other.given).then(|| "another environment, other input or other files".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents() -> Contents {
        Contents { program: Some(b"abc".into()), argv: vec![b"one".into()], ..Contents::default() }
    }

    #[test]
    fn what_differs_is_named() {
        let subject = Subject::new(&contents());
        // What `printf abc | sha256sum` prints.
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(subject.elf_sha256.as_deref(), Some(digest));
        let difference = |change: fn(&mut Contents)| {
            let mut other = contents();
            change(&mut other);
            subject.difference(&Subject::new(&other)).unwrap_or_default()
        };
        assert_eq!(difference(|_| ()), "");
        let program = difference(|it| it.program = None);
        assert!(program.ends_with("begins with ba7816bf8f01 against none"), "{program}");
        let arguments = difference(|it| it.argv.push(b"two".into()));
        assert_eq!(arguments, r#"other arguments: ["one"] against ["one", "two"]"#);
        for change in [
            |it: &mut Contents| it.stdin = Some(b"x".into()),
            |it: &mut Contents| it.envp.push(b"A=x".into()),
            |it: &mut Contents| it.files.push(("/x".into(), Vec::new())),
        ] {
            assert!(difference(change).starts_with("another environment"), "{}", difference(change));
        }
    }
}
