// SPDX-License-Identifier: MIT
//! What is said about a PE that kept diverging: where, on what, and at which instruction.

use wire::difference::InWords;
use wire::end::{Suspect, Verdict};

use super::nature;

/// The verdict, in one line.
pub fn text(verdict: &Verdict) -> String {
    let Verdict { pe, thread, start_rip, end_rip, difference, attempts, culprit, code } = verdict;
    let mut text = format!(
        "persistent divergence: PE {pe} ({thread}) from rip {start_rip:#x} to {end_rip:#x} differed in {attempts} attempts; \
         first difference {}",
        InWords(*difference)
    );
    match culprit {
        Some(Suspect { rip, after, code }) => {
            text.push_str(&format!(
                "; executed twice, its instructions agreed up to {} at {rip:#x}, number {after}",
                quoted(code, *rip)
            ));
            if let Some(reason) = nature::decode(code, *rip).as_ref().and_then(nature::reason) {
                text.push_str(&format!(", {reason}"));
            }
        }
        None => text.push_str(&format!(
            "; no instruction was found to do it; the one at the end is {}",
            quoted(code, *end_rip)
        )),
    }
    text
}

fn quoted(code: &[u8], rip: u64) -> String {
    match nature::assembly(code, rip) {
        Some(text) => format!("`{text}`"),
        None => "no instruction".into(),
    }
}

#[cfg(test)]
mod tests {
    use pe_replay::{Difference, Field};
    use wire::ThreadNumber;

    use super::*;

    fn verdict(culprit: Option<Suspect>) -> Verdict {
        Verdict {
            pe: 4,
            thread: ThreadNumber { process: 1, thread: 2 },
            start_rip: 0x40_1000,
            end_rip: 0x40_1010,
            difference: Difference { field: Field::Gpr(0), first: 1, second: 2, address: 0 },
            attempts: 3,
            culprit,
            code: [0x90; 15],
        }
    }

    fn suspect(start: &[u8]) -> Suspect {
        let mut code = [0x90; 15];
        code[..start.len()].copy_from_slice(start);
        Suspect { rip: 0x40_1008, after: 3, code }
    }

    #[test]
    fn the_instruction_is_named_and_explained() {
        assert_eq!(
            text(&verdict(Some(suspect(&[0x0f, 0xc7, 0xf0])))),
            "persistent divergence: PE 4 (thread 2 of process 1) from rip 0x401000 to 0x401010 differed in 3 attempts; \
             first difference rax: 0x1 against 0x2; \
             executed twice, its instructions agreed up to `rdrand eax` at 0x401008, number 3, \
             which gives another random number each time"
        );
    }

    #[test]
    fn without_an_explanation_it_is_only_shown() {
        assert!(
            text(&verdict(Some(suspect(&[0x01, 0xd8])))).ends_with("`add eax,ebx` at 0x401008, number 3")
        );
        assert!(text(&verdict(Some(suspect(&[0x06])))).ends_with("no instruction at 0x401008, number 3"));
        assert!(
            text(&verdict(None)).ends_with("no instruction was found to do it; the one at the end is `nop`")
        );
    }
}
