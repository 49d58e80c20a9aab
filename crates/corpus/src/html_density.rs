//! What of a page is its text, and what surrounds the text on every page of a site: menus, cookie
//! banners, side bars. Told by what elements are called and by how much of their text is links.
//!
//! When in doubt a block stays: a menu in the text costs little, a lost paragraph is a lost answer.

use crate::BlockKind;
use crate::raw::Raw;

/// What an element is called in the page's style.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// A banner that asks for consent.
    Banner,
    /// Menus, side bars, links to share, feet.
    Menu,
    /// What readers of the page say below it.
    Remark,
}

/// What tells whether a block belongs to the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sign {
    pub link_bytes: usize,
    pub aside: Option<Aside>,
}

/// So much text must be left, or nothing is dropped.
const LEAST_TEXT_BYTES: usize = 100;
/// A page that says so much itself is not what its readers say about it.
const LEAST_OWN_BYTES: usize = 600;
/// Links one after another are a menu from this number on.
const MENU_LINKS: usize = 3;
/// An entry of a menu is not longer.
const MAX_ENTRY_BYTES: usize = 80;

const BANNERS: &[&str] = &["cookie", "consent", "gdpr", "onetrust", "cookiebot"];
const MENUS: &[&str] = &[
    "nav",
    "navbar",
    "navigation",
    "menu",
    "breadcrumb",
    "breadcrumbs",
    "sidebar",
    "footer",
    "pagination",
    "pager",
    "share",
    "sharing",
    "social",
    "newsletter",
    "skiplink",
    "skiplinks",
    "related",
    "advert",
    "ads",
    "toolbar",
    "searchbox",
    "searchform",
    "metanav",
    "skip",
    "recommend",
    "recommended",
    "recommendations",
    "relatedposts",
    "sharedaddy",
    "sponsored",
    "taboola",
    "outbrain",
    "trending",
    "subnav",
    "mainnav",
];

const REMARKS: &[&str] = &["comments", "commentlist", "disqus", "respond"];
/// Parts that are not printed belong to the page's handling, not to its text.
const FOR_SCREENS: &[&str] = &["noprint", "no-print", "d-print-none", "mw-editsection"];

/// Whether an element is only for those who read the page at a screen.
pub(crate) fn is_for_screens(class: Option<&str>) -> bool {
    let mut names = class.into_iter().flat_map(str::split_whitespace).take(20);
    names.any(|name| FOR_SCREENS.contains(&name))
}

/// What an element's class and identifier say that it is.
pub(crate) fn aside(class: Option<&str>, id: Option<&str>) -> Option<Aside> {
    let names = [class, id].into_iter().flatten().flat_map(str::split_whitespace);
    let mut menu = None;
    for name in names.take(20) {
        let lower = name.to_ascii_lowercase();
        if BANNERS.iter().any(|word| lower.contains(word)) {
            return Some(Aside::Banner);
        }
        let first = lower.split(['-', '_']).next().unwrap_or_default();
        let last = lower.rsplit(['-', '_']).next().unwrap_or_default();
        if REMARKS.contains(&first) || REMARKS.contains(&last) {
            menu = Some(Aside::Remark);
        }
        if MENUS.contains(&first) || MENUS.contains(&last) {
            menu = menu.or(Some(Aside::Menu));
        }
    }
    menu
}

/// The blocks without what surrounds the text. In a part of the page that is said to be its text
/// (not `whole`), lists of links belong to it.
pub(crate) fn without_surroundings(raws: Vec<Raw>, signs: &[Sign], whole: bool) -> Vec<Raw> {
    if raws.len() != signs.len() {
        return raws;
    }
    let own_bytes =
        |(raw, sign): (&Raw, &Sign)| raw.text.trim().len().saturating_sub(sign.link_bytes);
    let sum = |which: &dyn Fn(&Sign) -> bool| {
        raws.iter().zip(signs).filter(|(_, sign)| which(sign)).map(own_bytes).sum::<usize>()
    };
    let text = sum(&|sign| sign.aside.is_none());
    let menus = sum(&|sign| sign.aside == Some(Aside::Menu));
    let drops_remarks = text >= LEAST_OWN_BYTES;
    let drops_banners = text + menus >= LEAST_TEXT_BYTES;
    // What is called a side bar but holds most of the text is the text.
    let drops_menus = text >= LEAST_TEXT_BYTES && text >= menus;
    let mut keeps: Vec<bool> = signs
        .iter()
        .map(|sign| match sign.aside {
            Some(Aside::Banner) => !drops_banners,
            Some(Aside::Menu) => !drops_menus,
            Some(Aside::Remark) => !drops_remarks,
            None => true,
        })
        .collect();
    if whole && text + menus >= LEAST_TEXT_BYTES {
        drop_link_runs(&raws, signs, &mut keeps);
    }
    raws.into_iter().zip(keeps).filter(|(_, keep)| *keep).map(|(raw, _)| raw).collect()
}

/// Several short blocks in a row that are links and nothing else are a menu.
fn drop_link_runs(raws: &[Raw], signs: &[Sign], keeps: &mut [bool]) {
    let is_link = |at: usize| {
        let (raw, sign) = (&raws[at], &signs[at]);
        let text = raw.text.trim().trim_start_matches("- ");
        let is_kind = matches!(raw.kind, BlockKind::ListItem | BlockKind::Paragraph);
        is_kind && text.len() <= MAX_ENTRY_BYTES && sign.link_bytes * 10 >= text.len() * 8
    };
    let mut at = 0;
    while at < raws.len() {
        let run = (at..raws.len()).take_while(|index| is_link(*index)).count();
        if run >= MENU_LINKS {
            keeps[at..at + run].fill(false);
        }
        at += run.max(1);
    }
}
