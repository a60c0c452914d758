// SPDX-License-Identifier: MIT
//! What a page of HTML names, and what it leads to.

use std::cell::RefCell;
use std::collections::BTreeSet;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};

/// Where something in a page leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The address, as it is written.
    pub to: String,
    /// Whether a browser follows it only if the reader asks for that; what is not followed so is part of the page.
    pub is_followed: bool,
}

/// The names and links of a page.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The places in it that a link can name.
    pub names: BTreeSet<String>,
    /// Its links, pictures, styles and scripts.
    pub links: Vec<Link>,
}

impl Page {
    /// Takes a page apart.
    pub fn read(text: &str) -> Self {
        let input = BufferQueue::default();
        input.push_back(StrTendril::from(text));
        let tokenizer = Tokenizer::new(Reader::default(), TokenizerOpts::default());
        // It stops at no token, so it comes to the end of its input.
        let _ = tokenizer.feed(&input);
        tokenizer.end();
        tokenizer.sink.0.into_inner()
    }
}

/// A page so far.
#[derive(Default)]
struct Reader(RefCell<Page>);

impl Reader {
    fn take(&self, tag: &Tag) {
        let mut page = self.0.borrow_mut();
        for attribute in &tag.attrs {
            match &*attribute.name.local {
                "id" => {
                    page.names.insert(attribute.value.to_string());
                }
                "href" | "src" | "data" | "poster" => {
                    page.links.push(Link { to: attribute.value.to_string(), is_followed: &*tag.name == "a" })
                }
                _ => {}
            }
        }
    }
}

impl TokenSink for Reader {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        let Token::TagToken(tag) = token else { return TokenSinkResult::Continue };
        if tag.kind != TagKind::StartTag {
            return TokenSinkResult::Continue;
        }
        self.take(&tag);
        // What looks like a tag in there is none.
        match &*tag.name {
            "script" => TokenSinkResult::RawData(RawKind::ScriptData),
            "style" => TokenSinkResult::RawData(RawKind::Rawtext),
            _ => TokenSinkResult::Continue,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_links_are_those_of_tags_only() {
        let text = "<h1 id='top'>a</h1><a href=\"b.html#c\">b</a> &lt;a href=\"no\"&gt; <img src=d.svg>\
            <script>'<a href=\"no\">'</script><style>a { b: '<a id=\"no\">' }</style><!-- <a id=\"no\"> -->";
        let link = |to: &str, is_followed| Link { to: to.into(), is_followed };
        let links = vec![link("b.html#c", true), link("d.svg", false)];
        assert_eq!(Page::read(text), Page { names: BTreeSet::from(["top".into()]), links });
    }
}
