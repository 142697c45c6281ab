//! `[[tree]]`: the rules that a drawn prize passes.
use std::collections::HashMap;

use settings::{Faulted, Field, Section, all};

use super::bounds::{CHANCES_MAX, DETAIL_CHARS, NAME_CHARS};
use super::ids::{AwardIds, Distinct};
use crate::chances::Chances;
use crate::ids::AwardIndex;
use crate::tree::{InvalidTree, Node, NodeIndex, Tree};

const TREES_MAX: usize = 1_000;
const NODES_MAX: usize = 100;

const NODE_RULES: [(&str, NodeRule); 3] = [
    ("rule_lock", NodeRule::Lock),
    ("rule_stock", NodeRule::Stock),
    ("rule_luck_award", NodeRule::Luck),
];

/// All trees by name, as far as they could be read, and which of them awards use.
pub(super) struct Trees<'d> {
    entries: Vec<TreeEntry<'d>>,
    by_name: HashMap<String, usize>,
}

struct TreeEntry<'d> {
    section: Section<'d>,
    tree: Result<Tree, Faulted>,
    used: bool,
}

impl<'d> Trees<'d> {
    pub(super) fn read(root: &Section<'d>, awards: &AwardIds) -> Self {
        let mut names = Distinct::default();
        let mut trees = Self {
            entries: Vec::new(),
            by_name: HashMap::new(),
        };
        for section in root.sections("tree", 0..=TREES_MAX).unwrap_or_default() {
            let name = section
                .string("id", NAME_CHARS)
                .try_map(|name| names.add(name))
                .required();
            if let Ok(name) = name {
                trees.by_name.insert(name, trees.entries.len());
            }
            let tree = tree(&section, awards);
            trees.entries.push(TreeEntry {
                section,
                tree,
                used: false,
            });
        }
        trees
    }

    /// The tree of a name, which is used from now on.
    pub(super) fn find(&mut self, name: &str) -> Result<usize, String> {
        let index = *self
            .by_name
            .get(name)
            .ok_or_else(|| format!("no tree has the id {name:?}"))?;
        self.entries[index].used = true;
        Ok(index)
    }

    /// A tree without faults.
    pub(super) fn get(&self, index: usize) -> Option<&Tree> {
        self.entries[index].tree.as_ref().ok()
    }

    /// Whether a luck node of any tree gives this award.
    pub(super) fn gives_by_luck(&self, award: AwardIndex) -> bool {
        let trees = self
            .entries
            .iter()
            .filter_map(|entry| entry.tree.as_ref().ok());
        let mut given = trees.flat_map(Tree::luck_awards);
        given.any(|(given, _)| given == award)
    }

    pub(super) fn into_trees(self) -> Result<Vec<Tree>, Faulted> {
        all(self.entries.into_iter().map(|entry| entry.tree))
    }

    /// Refuses a prize of the pool whose tree never leads to its stock: it cannot be won,
    /// whatever its odds are.
    pub(super) fn check_winnable(
        &self,
        award: &Section<'_>,
        is_drawn: bool,
        tree: usize,
        chances: Result<Chances, Faulted>,
    ) -> Result<(), Faulted> {
        let (Some(tree), Ok(chances)) = (self.get(tree), chances) else {
            return Ok(());
        };
        let draws_max = chances.day_limit.min(chances.month_limit);
        match tree.unlocked_at(0) {
            _ if !is_drawn => Ok(()),
            None => Err(award.fault(
                "tree",
                "no walk reaches rule_stock: this prize can never be won",
            )),
            Some(draws) if draws >= draws_max => {
                let message = format!(
                    "this prize can never be won: it unlocks after {draws} draws of a day, \
                     and the limits allow {draws_max} draws on a day"
                );
                Err(award.fault("tree", message))
            }
            Some(_) => Ok(()),
        }
    }

    pub(super) fn refuse_unused(&self) {
        for entry in self.entries.iter().filter(|entry| !entry.used) {
            entry.section.fault("id", "no award uses this tree");
        }
    }
}

fn tree(section: &Section<'_>, awards: &AwardIds) -> Result<Tree, Faulted> {
    // Without nodes the root leads nowhere, which is not reported as a second fault.
    let nodes = section
        .sections("nodes", 1..=NODES_MAX)
        .inspect_err(|_| section.leave_unread())?;
    let mut seen = Distinct::default();
    let keys: Vec<_> = nodes
        .iter()
        .map(|node| {
            node.string("key", NAME_CHARS)
                .try_map(|key| seen.add(key))
                .required()
        })
        .collect();
    let index = keys
        .iter()
        .enumerate()
        .filter_map(|(index, key)| Some((key.clone().ok()?, NodeIndex(index))));
    let index = NodeKeys(index.collect());
    let root = index.find(section, "root").required();
    let read = all(nodes
        .iter()
        .zip(keys)
        .map(|(section, key)| node(section, key, &index, awards)));
    let of_shape = |fault: &InvalidTree| match fault {
        InvalidTree::Cycle(node) | InvalidTree::Unreachable(node) => {
            nodes[node.0].fault("key", fault.to_string())
        }
    };
    Tree::new(read?, root?).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(of_shape).collect();
        faults[0]
    })
}

#[derive(Clone, Copy, PartialEq)]
enum NodeRule {
    Lock,
    Stock,
    Luck,
}

fn node(
    section: &Section<'_>,
    key: Result<String, Faulted>,
    nodes: &NodeKeys,
    awards: &AwardIds,
) -> Result<Node, Faulted> {
    // Which keys belong here depends on the rule.
    let rule = node_rule(section, key).inspect_err(|_| section.leave_unread())?;
    match rule {
        NodeRule::Lock => {
            let draws = section.integer("draws", 1..=CHANCES_MAX).required();
            let allow = nodes.find(section, "allow").required();
            let take_over = nodes.find(section, "take_over").required();
            Ok(Node::Lock {
                draws: draws?,
                allow: allow?,
                take_over: take_over?,
            })
        }
        NodeRule::Stock => Ok(Node::Stock {
            allow: nodes.find(section, "allow").required()?,
        }),
        NodeRule::Luck => {
            let award = awards.find(&section.value("award")).required();
            let config = section.string("config", DETAIL_CHARS).or(String::new());
            let (award, config) = (award?, config?);
            let points = awards.points_by(section, award, &config)?;
            Ok(Node::Luck {
                award,
                config,
                points,
            })
        }
    }
}

/// A node's rule: the one that `rule` names, else the one that its key names.
fn node_rule(section: &Section<'_>, key: Result<String, Faulted>) -> Result<NodeRule, Faulted> {
    let rule = match section.choice("rule", &NODE_RULES).optional()? {
        Some(rule) => return Ok(rule),
        None => key.map(|key| NODE_RULES.iter().find(|(name, _)| *name == key)),
    };
    match rule? {
        Some(&(_, rule)) => Ok(rule),
        None => Err(section.fault(
            "rule",
            "missing: expected a rule, because the key does not name one",
        )),
    }
}

struct NodeKeys(HashMap<String, NodeIndex>);

impl NodeKeys {
    fn find<'d>(&self, section: &Section<'d>, key: &'static str) -> Field<'d, NodeIndex> {
        let find = |name: String| {
            self.0
                .get(&name)
                .copied()
                .ok_or_else(|| format!("no node of this tree has the key {name:?}"))
        };
        section.string(key, NAME_CHARS).try_map(find)
    }
}
