// SPDX-License-Identifier: MIT
// mdBook makes .html of each link to .md, also of links out of the book to files of the repository, which stay what they
// are. The book is built two folders below the top of the repository, as deep as its pages stand, so such a link is right
// again when its ending is.
for (const link of document.querySelectorAll('main a[href^="../../"]')) {
    link.setAttribute("href", link.getAttribute("href").replace(/\.html(?=#|$)/, ".md"));
}
