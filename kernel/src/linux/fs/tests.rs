// SPDX-License-Identifier: MIT
//! Tests of the file system.

use super::*;

impl Fs {
    /// Leaves so much room in each table: what comes next has to make more.
    pub fn tighten(&mut self, room: usize) {
        let before = list_len(&self.inodes);
        self.inodes.shrink_to(self.inodes.len() + room);
        self.budget.refund(before - list_len(&self.inodes));
        for inode in self.inodes.iter_mut().flatten() {
            if let Node::Directory(directory) = &mut inode.node {
                directory.tighten(room);
            }
        }
    }

    /// Who is called what, and what everybody can see of a file.
    pub fn snapshot(&self) -> std::string::String {
        let inodes = self.inodes.iter().enumerate().filter_map(|(index, it)| Some((index, it.as_ref()?)));
        let seen = inodes.map(|(index, inode)| {
            let content = match &inode.node {
                Node::Directory(it) => it.behind(0).map(|it| (it.name.clone(), it.inode.0)).collect(),
                Node::File(it) => vec![(Vec::new(), it.length() as usize)],
                Node::Link(target) => vec![(target.clone(), 0)],
                Node::Device(_) => Vec::new(),
            };
            (index, content, inode.mode, inode.links, inode.holders)
        });
        std::format!("{:?}", seen.collect::<Vec<_>>())
    }

    /// Fails if an inode is nobody's, if one is not held as often as `held` says, or if what is
    /// there does not make up the budget of `total` bytes with what is left.
    pub fn audit(&self, held: impl Fn(InodeId) -> u32, total: u64) {
        let mut cost = list_len(&self.inodes);
        for (index, inode) in self.inodes.iter().enumerate() {
            let Some(inode) = inode else { continue };
            let is_child = |it: &&Inode| match &it.node {
                Node::Directory(directory) => it.links == 0 && directory.parent.0 == index,
                Node::File(_) | Node::Link(_) | Node::Device(_) => false,
            };
            let removed = self.inodes.iter().flatten().filter(is_child).count() as u32;
            let expected = held(InodeId(index)) + removed + u32::from(index == 0);
            assert_eq!(inode.holders, expected, "inode {index}");
            assert!(inode.holders > 0 || inode.links > 0, "inode {index} is nobody's");
            cost += inode.node.cost();
            match &inode.node {
                Node::Directory(it) => cost += it.cost(),
                Node::File(content) => content.audit(),
                Node::Link(_) | Node::Device(_) => {}
            }
        }
        assert_eq!(cost + self.budget.left(), total);
        assert_eq!(self.free, self.inodes.iter().filter(|inode| inode.is_none()).count());
    }
}

impl Fs {
    /// What `path` names, where nothing is mounted.
    fn find_stored(&self, base: InodeId, path: &[u8], follow: Follow) -> Result<InodeId, Errno> {
        self.locate_stored(base, path, follow)?.target.ok_or(ENOENT)
    }
}

fn fs() -> Fs {
    Fs::new(1 << 20, 0).unwrap()
}

fn make(fs: &mut Fs, path: &[u8], node: Node) -> Result<InodeId, Errno> {
    let place = fs.locate_stored(InodeId::ROOT, path, Follow::No)?;
    fs.create(&place, node, 0o755, 0)
}

fn file() -> Node {
    Node::File(Content::default())
}

fn find(fs: &Fs, path: &[u8]) -> Result<InodeId, Errno> {
    fs.find_stored(InodeId::ROOT, path, Follow::Yes)
}

fn rename(fs: &mut Fs, from: &[u8], to: &[u8]) -> Result<(), Errno> {
    let from = fs.locate_stored(InodeId::ROOT, from, Follow::No)?;
    let to = fs.locate_stored(InodeId::ROOT, to, Follow::No)?;
    fs.rename(&from, &to, 0)
}

#[test]
fn paths_lead_where_they_should() {
    let mut fs = fs();
    let a = make(&mut fs, b"/a", Fs::new_directory()).unwrap();
    let b = make(&mut fs, b"/a//b/", Fs::new_directory()).unwrap();
    let c = make(&mut fs, b"a/b/c", file()).unwrap();
    assert_eq!(find(&fs, b"/a/./b/../b//c"), Ok(c));
    assert_eq!(find(&fs, b"/../.."), Ok(InodeId::ROOT));
    assert_eq!(fs.find_stored(b, b"..", Follow::Yes), Ok(a));
    assert_eq!(find(&fs, b"/a/b/c/"), Err(ENOTDIR));
    assert_eq!(find(&fs, b"/a/b/c/."), Err(ENOTDIR));
    assert_eq!(find(&fs, b"/a/x"), Err(ENOENT));
    assert_eq!(find(&fs, b"/x/../a"), Err(ENOENT));
    assert_eq!(find(&fs, b""), Err(ENOENT));
    assert_eq!(fs.path_of(b).unwrap(), b"/a/b");
    assert_eq!(fs.path_of(InodeId::ROOT).unwrap(), b"/");
}

#[test]
fn symbolic_links_are_followed_and_loops_end() {
    let mut fs = fs();
    let a = make(&mut fs, b"/a", Fs::new_directory()).unwrap();
    let c = make(&mut fs, b"/a/c", file()).unwrap();
    make(&mut fs, b"/to-a", Node::Link(b"a".to_vec())).unwrap();
    make(&mut fs, b"/a/abs", Node::Link(b"/to-a/c".to_vec())).unwrap();
    let own = make(&mut fs, b"/loop", Node::Link(b"loop".to_vec())).unwrap();
    assert_eq!(find(&fs, b"/to-a/abs"), Ok(c));
    assert_eq!(find(&fs, b"/to-a/"), Ok(a));
    assert_eq!(find(&fs, b"/loop"), Err(super::super::errno::ELOOP));
    assert_eq!(fs.find_stored(InodeId::ROOT, b"/loop", Follow::No), Ok(own));
    assert_eq!(find(&fs, b"/a/abs/"), Err(ENOTDIR));
}

#[test]
fn link_counts_follow_names() {
    let mut fs = fs();
    let d = make(&mut fs, b"/d", Fs::new_directory()).unwrap();
    let f = make(&mut fs, b"/f", file()).unwrap();
    let place = fs.locate_stored(InodeId::ROOT, b"/d/g", Follow::No).unwrap();
    fs.link(f, &place, 0).unwrap();
    make(&mut fs, b"/d/e", Fs::new_directory()).unwrap();
    assert_eq!(fs.inode(InodeId::ROOT).unwrap().links, 3);
    assert_eq!(fs.inode(d).unwrap().links, 3);
    assert_eq!(fs.inode(f).unwrap().links, 2);
    rename(&mut fs, b"/d/e", b"/e").unwrap();
    assert_eq!(fs.inode(InodeId::ROOT).unwrap().links, 4);
    assert_eq!(fs.inode(d).unwrap().links, 2);
    let place = fs.locate_stored(InodeId::ROOT, b"/e", Follow::No).unwrap();
    fs.remove_directory(&place, 0).unwrap();
    assert_eq!(fs.inode(InodeId::ROOT).unwrap().links, 3);
}

#[test]
fn an_unlinked_file_lives_while_it_is_held() {
    let mut fs = fs();
    let f = make(&mut fs, b"/f", file()).unwrap();
    let left = fs.budget.left() + Directory::entry_cost(b"f");
    fs.hold(f).unwrap();
    fs.write(f, 0, b"abc", 0).unwrap();
    let place = fs.locate_stored(InodeId::ROOT, b"/f", Follow::No).unwrap();
    fs.unlink(&place, 0).unwrap();
    assert_eq!(find(&fs, b"/f"), Err(ENOENT));
    assert_eq!(fs.content(f).unwrap().at(0, 9, &mut []), b"abc");
    fs.release(f);
    assert!(fs.inode(f).is_err());
    assert_eq!(fs.budget.left(), left);
    // Its place in the table is used again.
    assert_eq!(make(&mut fs, b"/g", file()), Ok(f));
}

#[test]
fn renames_that_make_no_sense_are_refused() {
    let mut fs = fs();
    make(&mut fs, b"/a", Fs::new_directory()).unwrap();
    make(&mut fs, b"/a/b", Fs::new_directory()).unwrap();
    make(&mut fs, b"/f", file()).unwrap();
    assert_eq!(rename(&mut fs, b"/a", b"/a/b/c"), Err(EINVAL));
    assert_eq!(rename(&mut fs, b"/a", b"/f"), Err(ENOTDIR));
    assert_eq!(rename(&mut fs, b"/f", b"/a"), Err(EISDIR));
    assert_eq!(rename(&mut fs, b"/f", b"/x/"), Err(ENOTDIR));
    assert_eq!(rename(&mut fs, b"/x", b"/y"), Err(ENOENT));
    assert_eq!(rename(&mut fs, b"/f", b"/f"), Ok(()));
    make(&mut fs, b"/g", file()).unwrap();
    assert_eq!(rename(&mut fs, b"/f", b"/g"), Ok(()));
    assert_eq!(find(&fs, b"/f"), Err(ENOENT));
}

#[test]
fn a_removed_directory_takes_no_more_names() {
    let mut fs = fs();
    let d = make(&mut fs, b"/d", Fs::new_directory()).unwrap();
    fs.hold(d).unwrap();
    let place = fs.locate_stored(InodeId::ROOT, b"/d", Follow::No).unwrap();
    fs.remove_directory(&place, 0).unwrap();
    let place = fs.locate_stored(d, b"f", Follow::No).unwrap();
    assert_eq!(fs.create(&place, file(), 0, 0), Err(ENOENT));
    assert_eq!(fs.path_of(d), Err(ENOENT));
}

#[test]
fn everything_that_grows_is_paid_for_and_paid_back() {
    let mut fs = fs();
    let d = make(&mut fs, b"/d", Fs::new_directory()).unwrap();
    let f = make(&mut fs, b"/f", file()).unwrap();
    let path = |index: u32| std::format!("/d/{index:0200}").into_bytes();
    let whole = fs.budget.left();
    // Names and entries; then links with their targets, and inodes; then directories.
    for kind in 0..3 {
        let mut index = 0;
        let full = loop {
            let place = fs.locate_stored(InodeId::ROOT, &path(index), Follow::No).unwrap();
            let made = match kind {
                0 => fs.link(f, &place, 0),
                1 => fs.create(&place, Node::Link(vec![b'x'; 3000]), 0, 0).map(drop),
                _ => fs.create(&place, Fs::new_directory(), 0, 0).map(drop),
            };
            match made {
                Ok(()) => index += 1,
                Err(errno) => break errno,
            }
        };
        assert_eq!(full, ENOSPC);
        let least = [1 << 11, 1 << 8, 1 << 11][kind];
        assert!(index > least && index < 1 << 13, "{kind}: {index}");
        assert_eq!(fs.write(f, 0, &[1; 4096], 0), Err(ENOSPC));
        for index in 0..index {
            let place = fs.locate_stored(InodeId::ROOT, &path(index), Follow::No).unwrap();
            let gone = if kind == 2 { fs.remove_directory(&place, 0) } else { fs.unlink(&place, 0) };
            gone.unwrap();
        }
        assert_eq!(fs.write(f, 0, &[1; 4096], 0), Ok(4096));
        fs.resize(f, 0, 0).unwrap();
    }
    // What is not paid back is the table of inodes.
    assert_eq!(fs.directory(d).map(Directory::cost), Ok(0));
    assert!(whole - fs.budget.left() < list_len(&fs.inodes));
}

#[test]
fn a_removed_directory_keeps_the_one_that_it_was_in() {
    let mut fs = fs();
    make(&mut fs, b"/a", Fs::new_directory()).unwrap();
    let b = make(&mut fs, b"/a/b", Fs::new_directory()).unwrap();
    fs.hold(b).unwrap();
    for path in [&b"/a/b"[..], b"/a"] {
        let place = fs.locate_stored(InodeId::ROOT, path, Follow::No).unwrap();
        fs.remove_directory(&place, 0).unwrap();
    }
    // What is made now is nobody's parent.
    let new = make(&mut fs, b"/new", Fs::new_directory()).unwrap();
    let parent = fs.find_stored(b, b"..", Follow::Yes).unwrap();
    assert_ne!(parent, new);
    assert_eq!(fs.inode(parent).unwrap().links, 0);
    assert_eq!(fs.find_stored(b, b"../..", Follow::Yes), Ok(InodeId::ROOT));
    assert_eq!(fs.find_stored(b, b"../../new", Follow::Yes), Ok(new));
    let place = fs.locate_stored(b, b"../x", Follow::No).unwrap();
    assert_eq!(fs.create(&place, file(), 0o600, 0), Err(ENOENT));
    fs.audit(|id| u32::from(id == b), 1 << 20);
    fs.release(b);
    fs.audit(|_| 0, 1 << 20);
    // A directory that another one takes the place of is removed as well.
    let old = make(&mut fs, b"/old", Fs::new_directory()).unwrap();
    fs.hold(old).unwrap();
    rename(&mut fs, b"/new", b"/old").unwrap();
    fs.audit(|id| u32::from(id == old), 1 << 20);
    fs.release(old);
    fs.audit(|_| 0, 1 << 20);
}

#[test]
fn a_name_that_is_too_long_is_told_from_one_that_is_not_there() {
    let fs = fs();
    assert_eq!(find(&fs, &[b'a'; 255]), Err(ENOENT));
    assert_eq!(find(&fs, &[b'a'; 256]), Err(ENAMETOOLONG));
}

#[test]
fn names_are_found_in_a_large_directory_and_listed_in_order_of_creation() {
    let mut fs = fs();
    let name = |number: u64| format!("/{:03}", number * 7919 % 1000).into_bytes();
    let made: Vec<InodeId> = (0..1000).map(|number| make(&mut fs, &name(number), file()).unwrap()).collect();
    for number in (0..1000).step_by(3) {
        let place = fs.locate_stored(InodeId::ROOT, &name(number), Follow::No).unwrap();
        fs.unlink(&place, 0).unwrap();
    }
    for number in (1..1000).step_by(3) {
        rename(&mut fs, &name(number), &name(number + 1)).unwrap();
    }
    let mut expected = Vec::new();
    for (number, id) in (0..).zip(&made).filter(|(number, _)| number % 3 == 1) {
        assert_eq!((find(&fs, &name(number)), find(&fs, &name(number + 1))), (Err(ENOENT), Ok(*id)));
        expected.push(*id);
    }
    let listed = fs.directory(InodeId::ROOT).unwrap().behind(0);
    assert!(listed.map(|entry| entry.inode).eq(expected));
}

#[test]
fn a_path_through_links_is_what_is_left_of_it() {
    let mut fs = fs();
    let a = make(&mut fs, b"/a", Fs::new_directory()).unwrap();
    for number in 1..=30 {
        let target = format!("l{}{}", number + 1, "/.".repeat(2000));
        make(&mut fs, format!("/l{number}").as_bytes(), Node::Link(target.into_bytes())).unwrap();
    }
    make(&mut fs, b"/l31", Node::Link(b"/a".to_vec())).unwrap();
    assert_eq!(find(&fs, b"l1"), Ok(a));
    assert_eq!(find(&fs, b"l1/./"), Ok(a));
    assert_eq!(find(&fs, b"l1/b"), Err(ENOENT));
    assert_eq!(fs.locate_stored(InodeId::ROOT, b"l1/b", Follow::No).unwrap().parent, a);
}
