// SPDX-License-Identifier: MIT
//! Steps that work on the bundled text, which `text.txt` holds and `wc`, `sha256sum` and `sort` were asked about.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::Step;

const TEXT: &str = include_str!("text.txt");
/// What `wc -w` says.
const WORDS: usize = 6829;
/// What `sha256sum` says.
const SHA256: &str = "6b78915578ad633083cdbf34d0677b20c29e401caf6fe8cfa867cbc92c27d406";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the text, and of a chain of hashes that starts there.
pub fn hash() -> Step {
    const LINKS: usize = 1000;
    let first = Sha256::digest(TEXT);
    let last = (0..LINKS).fold(first, |link, _| Sha256::digest(link));
    // The chain has no outside witness; going there twice by different means is its check.
    let mut again = Sha256::new();
    TEXT.as_bytes().chunks(1000).for_each(|chunk| again.update(chunk));
    let mut link = again.finalize_reset();
    for _ in 0..LINKS {
        link.chunks(5).for_each(|chunk| again.update(chunk));
        link = again.finalize_reset();
    }
    Step {
        what: format!("hash     {} bytes, {LINKS} links", TEXT.len()),
        result: hex(&last[..16]),
        holds: hex(&first) == SHA256 && last == link,
    }
}

/// All words in order, and the one that occurs most.
pub fn sort() -> Step {
    let mut words: Vec<&str> = TEXT.split_whitespace().collect();
    let mut counts = BTreeMap::new();
    for word in &words {
        *counts.entry(*word).or_insert(0usize) += 1;
    }
    words.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    let ordered = words.is_sorted_by(|a, b| (b.len(), *a) <= (a.len(), *b));
    words.sort_unstable();
    let runs = words.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
    let holds =
        ordered && words.len() == WORDS && runs.eq(counts.iter().map(|(word, count)| (*word, *count)));
    let (word, count) =
        counts.iter().max_by_key(|(_, count)| **count).map_or(("", 0), |(word, count)| (*word, *count));
    Step {
        what: format!("sort     {} words, {} different", words.len(), counts.len()),
        result: format!("`{word}` {count} times"),
        holds,
    }
}

/// Packs at two levels and unpacks again.
pub fn compress() -> Step {
    let mut sizes = Vec::new();
    let mut holds = true;
    for level in [1, 6] {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(TEXT.as_bytes(), level);
        let unpacked = miniz_oxide::inflate::decompress_to_vec_zlib(&packed);
        holds &= unpacked.is_ok_and(|unpacked| unpacked == TEXT.as_bytes());
        sizes.push(packed.len());
    }
    holds &= sizes.iter().all(|&size| size < TEXT.len() / 2);
    Step {
        what: format!("compress {} bytes at levels 1 and 6", TEXT.len()),
        result: format!("{} and {} bytes", sizes[0], sizes[1]),
        holds,
    }
}

/// Letters by frequency, and the entropy of one of them.
pub fn count_letters() -> Step {
    let mut counts = [0u32; 26];
    for letter in TEXT.bytes().filter(u8::is_ascii_alphabetic) {
        counts[usize::from(letter.to_ascii_lowercase() - b'a')] += 1;
    }
    let total: u32 = counts.iter().sum();
    let mut letters: Vec<(u32, char)> = counts.into_iter().zip('a'..='z').collect();
    letters.sort_unstable_by(|a, b| b.cmp(a));
    let most: String = letters.iter().take(8).map(|(_, letter)| letter).collect();
    let expected = TEXT.chars().filter(|letter| letter.is_alphabetic()).count();
    Step {
        what: format!("count    {total} letters"),
        result: most.clone(),
        holds: total as usize == expected && most.starts_with('e'),
    }
}
