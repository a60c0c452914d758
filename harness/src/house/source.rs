// SPDX-License-Identifier: MIT
//! A crate as its files say it: modules, what each declares and imports, and the paths that it names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemMod, ItemUse, Macro, Meta, UseTree, VisRestricted};

/// One import: the name that it gives to what is behind a path; no name for a glob.
#[derive(Clone, Debug)]
pub struct Import {
    pub name: Option<String>,
    pub path: Vec<String>,
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Its names from the crate's root, which has none itself.
    pub path: Vec<String>,
    /// Where its text stands.
    pub file: PathBuf,
    pub parent: Option<usize>,
    pub children: BTreeMap<String, usize>,
    /// What it declares itself, modules apart.
    pub items: BTreeSet<String>,
    pub imports: Vec<Import>,
    /// All paths of two names or more that are not imports.
    pub paths: BTreeSet<Vec<String>>,
    /// The macros that it calls by their names alone.
    pub macros: BTreeSet<String>,
}

/// The modules of a crate; the first one is its root.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub modules: Vec<Module>,
    /// Where each macro is defined that is called by its name alone.
    pub macros: BTreeMap<String, usize>,
}

impl Source {
    /// Reads a crate from its root file on.
    pub fn read(root: &Path) -> Result<Self> {
        let mut source = Self::default();
        let folder = root.parent().context("a root file without a folder")?;
        source.read_file(root, folder, Vec::new(), None)?;
        Ok(source)
    }

    /// Reads a module that is a file; its modules are files below `folder`.
    fn read_file(
        &mut self,
        file: &Path,
        folder: &Path,
        path: Vec<String>,
        parent: Option<usize>,
    ) -> Result<usize> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let parsed = syn::parse_file(&text).map_err(|error| anyhow!("{}: {error}", file.display()))?;
        self.read_items(&parsed.items, file, folder, path, parent)
    }

    fn read_items(
        &mut self,
        items: &[Item],
        file: &Path,
        folder: &Path,
        path: Vec<String>,
        parent: Option<usize>,
    ) -> Result<usize> {
        let index = self.modules.len();
        self.modules.push(Module { path, file: file.to_owned(), parent, ..Module::default() });
        let mut reader =
            Reader { module: &mut self.modules[index], defined: Vec::new(), modules: Vec::new() };
        items.iter().for_each(|item| reader.visit_item(item));
        let Reader { defined, modules, .. } = reader;
        self.macros.extend(defined.into_iter().map(|name| (name, index)));
        for module in modules {
            let name = module.ident.to_string();
            let mut path = self.modules[index].path.clone();
            path.push(name.clone());
            let folder_below = folder.join(&name);
            let child = match &module.content {
                Some((_, items)) => self.read_items(items, file, &folder_below, path, Some(index))?,
                None => {
                    // The text that stands in its place under another configuration keeps the order, too.
                    for name in other_paths(&module.attrs) {
                        self.read_file(
                            &folder_of(file).join(name),
                            &folder_below,
                            path.clone(),
                            Some(index),
                        )?;
                    }
                    let beside = folder.join(format!("{name}.rs"));
                    let inside = folder_below.join("mod.rs");
                    let named = path_attribute(&module.attrs).map(|name| folder_of(file).join(name));
                    let found = named.or_else(|| [beside, inside].into_iter().find(|file| file.exists()));
                    let found = found.with_context(|| format!("{}: no file for {name}", file.display()))?;
                    self.read_file(&found, &folder_below, path, Some(index))?
                }
            };
            self.modules[index].children.insert(name, child);
        }
        Ok(index)
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
}

/// The file that `#[path = "..."]` names.
fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else { return None };
        let syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &pair.value else { return None };
        pair.path.is_ident("path").then(|| text.value())
    })
}

/// The files that `#[cfg_attr(..., path = "...")]` names.
fn other_paths(attributes: &[Attribute]) -> Vec<String> {
    let lists = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg_attr") => Some(list.tokens.clone()),
        _ => None,
    });
    let name = |tokens: TokenStream| {
        let mut rest = tokens.into_iter().skip_while(|token| token.to_string() != "path").skip(2);
        Some(rest.next()?.to_string().trim_matches('"').to_owned())
    };
    lists.filter_map(name).collect()
}

/// Whether something is there for tests only.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return attribute.path().is_ident("test") };
        let names: Vec<String> = idents(list.tokens.clone());
        let has = |wanted: &str| names.iter().any(|name| name == wanted);
        list.path.is_ident("cfg") && has("test") && !has("not")
    })
}

fn idents(tokens: TokenStream) -> Vec<String> {
    let each = |token| match token {
        TokenTree::Ident(ident) => vec![ident.to_string()],
        TokenTree::Group(group) => idents(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => Vec::new(),
    };
    tokens.into_iter().flat_map(each).collect()
}

/// Reads the items of one module; its own modules are put aside.
struct Reader<'a, 'ast> {
    module: &'a mut Module,
    /// The macros that it defines.
    defined: Vec<String>,
    modules: Vec<&'ast ItemMod>,
}

impl Reader<'_, '_> {
    /// Notes the paths in what a macro or an attribute is given, which is not parsed as Rust.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.note(std::mem::take(&mut path));
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.note(std::mem::take(&mut path));
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.note(path);
    }

    fn note(&mut self, path: Vec<String>) {
        if path.len() > 1 {
            self.module.paths.insert(path);
        }
    }

    fn import(&mut self, tree: &UseTree, mut path: Vec<String>) {
        match tree {
            UseTree::Path(tree) => {
                path.push(tree.ident.to_string());
                self.import(&tree.tree, path);
            }
            UseTree::Name(tree) => {
                let mut name = tree.ident.to_string();
                if name == "self" {
                    name = path.last().cloned().unwrap_or_default();
                } else {
                    path.push(name.clone());
                }
                self.module.imports.push(Import { name: Some(name), path });
            }
            UseTree::Rename(tree) => {
                if tree.ident != "self" {
                    path.push(tree.ident.to_string());
                }
                self.module.imports.push(Import { name: Some(tree.rename.to_string()), path });
            }
            UseTree::Glob(_) => self.module.imports.push(Import { name: None, path }),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, path.clone())),
        }
    }
}

impl<'ast> Visit<'ast> for Reader<'_, 'ast> {
    fn visit_item(&mut self, item: &'ast Item) {
        let (attributes, name) = match item {
            Item::Const(item) => (&item.attrs, Some(&item.ident)),
            Item::Enum(item) => (&item.attrs, Some(&item.ident)),
            Item::ExternCrate(item) => (&item.attrs, None),
            Item::Fn(item) => (&item.attrs, Some(&item.sig.ident)),
            Item::ForeignMod(item) => (&item.attrs, None),
            Item::Impl(item) => (&item.attrs, None),
            Item::Macro(item) => (&item.attrs, item.ident.as_ref()),
            Item::Mod(item) => (&item.attrs, None),
            Item::Static(item) => (&item.attrs, Some(&item.ident)),
            Item::Struct(item) => (&item.attrs, Some(&item.ident)),
            Item::Trait(item) => (&item.attrs, Some(&item.ident)),
            Item::Type(item) => (&item.attrs, Some(&item.ident)),
            Item::Union(item) => (&item.attrs, Some(&item.ident)),
            Item::Use(item) => (&item.attrs, None),
            _ => return visit::visit_item(self, item),
        };
        if is_for_tests(attributes) {
            return;
        }
        if let Some(name) = name {
            self.module.items.insert(name.to_string());
            if matches!(item, Item::Macro(_)) {
                self.defined.push(name.to_string());
            }
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.modules.push(item);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.import(&item.tree, Vec::new());
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.note(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        }
        visit::visit_path(self, path);
    }

    /// Who may see something is no use of it.
    fn visit_vis_restricted(&mut self, _: &'ast VisRestricted) {}

    fn visit_macro(&mut self, called: &'ast Macro) {
        if let Some(name) = called.path.get_ident() {
            self.module.macros.insert(name.to_string());
        }
        self.tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}
