// SPDX-License-Identifier: MIT
//! A document taken apart: fenced blocks, tables, sections, headings and links.

use std::ops::Range;

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, OffsetIter, Options, Parser, Tag, TagEnd};

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The word behind the fence; empty if there is none.
    pub language: String,
    /// The comment in the line before the fence.
    pub comment: Option<&'a str>,
    /// What stands between the fences.
    pub text: &'a str,
    /// Where that is in the document.
    pub range: Range<usize>,
}

fn events(document: &str) -> OffsetIter<'_> {
    Parser::new_ext(document, Options::ENABLE_TABLES).into_offset_iter()
}

/// The fenced blocks of a document, in order. A block that is only indented has the language `indented`.
pub fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut comment = None;
    let mut open = false;
    for (event, range) in events(document) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => info.to_string(),
                    CodeBlockKind::Indented => "indented".to_owned(),
                };
                blocks.push(Block { language, comment: comment.take(), text: "", range: 0..0 });
                open = true;
            }
            Event::Text(_) if open => {
                let Some(block) = blocks.last_mut() else { continue };
                let start = if block.range.is_empty() { range.start } else { block.range.start };
                block.range = start..range.end;
                block.text = &document[block.range.clone()];
            }
            Event::End(TagEnd::CodeBlock) => open = false,
            Event::Html(_) => {
                let text = document[range].trim();
                comment = text.strip_prefix("<!--").and_then(|text| text.strip_suffix("-->")).map(str::trim);
            }
            Event::Start(Tag::HtmlBlock) | Event::End(TagEnd::HtmlBlock) => {}
            _ => comment = None,
        }
    }
    blocks
}

/// The cells of each table row in a document as they are written, the header's row included.
pub fn rows(document: &str) -> Vec<Vec<&str>> {
    let mut rows: Vec<Vec<&str>> = Vec::new();
    for (event, range) in events(document) {
        match event {
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::Start(Tag::TableCell) => {
                let cell =
                    document[range].trim_matches(|letter: char| letter == '|' || letter.is_whitespace());
                if let Some(row) = rows.last_mut() {
                    row.push(cell);
                }
            }
            _ => {}
        }
    }
    rows
}

/// The parts of a text that stand in backquotes.
pub fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// A heading of a document.
pub struct Heading {
    level: HeadingLevel,
    /// Its text, without marks.
    pub title: String,
    /// Where its line stands in the document.
    range: Range<usize>,
}

/// The headings of a document, in order.
pub fn headings(document: &str) -> Vec<Heading> {
    let mut headings: Vec<Heading> = Vec::new();
    let mut open = false;
    for (event, range) in events(document) {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                headings.push(Heading { level, title: String::new(), range });
                open = true;
            }
            Event::Text(text) | Event::Code(text) if open => {
                if let Some(heading) = headings.last_mut() {
                    heading.title.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => open = false,
            _ => {}
        }
    }
    headings
}

/// The text below a heading, up to the next one of its level or above.
pub fn section<'a>(document: &'a str, title: &str) -> Option<&'a str> {
    let headings = headings(document);
    let at = headings.iter().position(|heading| heading.title == title)?;
    let Heading { level, range, .. } = &headings[at];
    let next = headings[at + 1..].iter().find(|next| next.level <= *level);
    Some(&document[range.end..next.map_or(document.len(), |next| next.range.start)])
}

/// Where the links and pictures of a document point to.
pub fn links(document: &str) -> Vec<String> {
    let link = |(event, _)| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.to_string()),
        _ => None,
    };
    events(document).filter_map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_with_their_comment_and_place() {
        let text = "a\n<!-- why -->\n```sh\nb\n\nc\n```\n<!-- old -->\nd\n\n```console\n$ e\n```\n\n    f\n\n```\n```\n";
        let blocks = blocks(text);
        let parts: Vec<_> =
            blocks.iter().map(|block| (block.language.as_str(), block.comment, block.text)).collect();
        assert_eq!(
            parts,
            [
                ("sh", Some("why"), "b\n\nc\n"),
                ("console", None, "$ e\n"),
                ("indented", None, "f\n"),
                ("", None, ""),
            ]
        );
        assert_eq!(&text[blocks[0].range.clone()], "b\n\nc\n");
    }

    #[test]
    fn rows_are_taken_apart_as_they_are_written() {
        let text = "| a | b |\n| --- | --- |\n| `c` | d [e](f) |\n| `g \\| h` | |\n";
        assert_eq!(rows(text), [["a", "b"], ["`c`", "d [e](f)"], ["`g \\| h`", ""]]);
        assert_eq!(quoted("a `b` c `d`").collect::<Vec<_>>(), ["b", "d"]);
    }

    #[test]
    fn a_section_ends_with_the_next_heading_of_its_level() {
        let text = "# A\nb\n## C\nd\n### E\nf\n## G\nh\n";
        assert_eq!(section(text, "C"), Some("d\n### E\nf\n"));
        assert_eq!(section(text, "G"), Some("h\n"));
        assert_eq!(section(text, "H"), None);
    }

    #[test]
    fn links_have_ends() {
        let text = "[x](y.md#same-1) ![z](w.svg)\n```sh\n[no](link)\n```\n";
        assert_eq!(links(text), ["y.md#same-1", "w.svg"]);
    }
}
