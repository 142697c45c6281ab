//! The rule tree that a drawn prize passes: locks, stock, and the luck award in its place.
//!
//! A tree is any directed acyclic graph of three kinds of nodes. [`Tree::new`] refuses cycles and
//! nodes that cannot be reached, so a walk always ends at a stock or a luck node.
use crate::ids::AwardIndex;
use crate::points::PointsRange;

/// The index of a node in its tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(pub usize);

/// One rule of a tree. `allow` and `take_over` are the reference's names for the two exits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `rule_lock`: open when the user has made `draws` draws today before this one.
    Lock {
        /// How many draws today open the lock.
        draws: u32,
        /// Where an open lock leads.
        allow: NodeIndex,
        /// Where a closed lock leads.
        take_over: NodeIndex,
    },
    /// `rule_stock`: the prize is won if there is a unit of it, and the user may have one more.
    Stock {
        /// Where the walk continues when there is no unit.
        allow: NodeIndex,
    },
    /// `rule_luck_award`: the walk ends with this award, which takes no stock.
    Luck {
        /// The award given.
        award: AwardIndex,
        /// Parameter for the award's distributor, for example the range of points `1,100`.
        config: String,
        /// The points that the award pays by this parameter, when it is a points prize.
        points: Option<PointsRange>,
    },
}

/// How a walk treats locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locks {
    /// Open when this many draws were made today before this one.
    DrawsToday(u32),
    /// All open: prizes of `rule_weight` and `rule_blacklist` skip locks.
    Skipped,
}

/// Where a walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// At a stock node. If the stock has no unit, the walk continues from this node.
    Stock(NodeIndex),
    /// At this luck node: the user gets this award.
    Luck(NodeIndex, AwardIndex),
}

/// A fault in the shape of a tree. Node numbers are those given to [`Tree::new`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTree {
    /// A walk from this node comes back to it.
    #[error("a walk from here comes back to here: trees must not have cycles")]
    Cycle(NodeIndex),
    /// No walk from the root reaches this node.
    #[error("nothing leads from the root to this node")]
    Unreachable(NodeIndex),
}

/// A checked rule tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    nodes: Vec<Node>,
    root: NodeIndex,
}

impl Tree {
    /// Checks the shape: no cycle, and every node can be reached. All faults are reported.
    /// Node indexes must lie within `nodes`.
    pub fn new(nodes: Vec<Node>, root: NodeIndex) -> Result<Self, Vec<InvalidTree>> {
        let mut marks = vec![Mark::Unseen; nodes.len()];
        let mut faults = Vec::new();
        visit(&nodes, root, &mut marks, &mut faults);
        let unseen = |index: &usize| marks[*index] == Mark::Unseen;
        faults.extend(
            (0..nodes.len())
                .filter(unseen)
                .map(|index| InvalidTree::Unreachable(NodeIndex(index))),
        );
        if faults.is_empty() {
            Ok(Self { nodes, root })
        } else {
            Err(faults)
        }
    }

    /// Where each walk begins.
    pub const fn root(&self) -> NodeIndex {
        self.root
    }

    /// The rule at an index of this tree.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self.nodes[index.0]
    }

    /// Walks from the root to the first stock or luck node.
    pub fn enter(&self, locks: Locks) -> Stop {
        self.walk(self.root, locks)
    }

    /// Walks on from a stock node without a unit.
    pub fn out_of_stock(&self, at: NodeIndex, locks: Locks) -> Stop {
        match self.nodes[at.0] {
            Node::Stock { allow } => self.walk(allow, locks),
            Node::Lock { .. } | Node::Luck { .. } => unreachable!("walks stop at stock nodes only"),
        }
    }

    /// The fewest draws made today, at least `draws_today`, with which the prize can be won.
    /// `None` when no number of further draws unlocks it.
    pub fn unlocked_at(&self, draws_today: u32) -> Option<u32> {
        let thresholds = self.nodes.iter().filter_map(|node| match node {
            Node::Lock { draws, .. } => Some(*draws),
            Node::Stock { .. } | Node::Luck { .. } => None,
        });
        // Between two thresholds no lock changes, so only these numbers can be the answer.
        thresholds
            .chain([draws_today])
            .filter(|&draws| draws >= draws_today && self.wins(Locks::DrawsToday(draws)))
            .min()
    }

    /// Whether a prize that enters the tree this way can be won while its stock lasts.
    pub fn wins(&self, locks: Locks) -> bool {
        matches!(self.enter(locks), Stop::Stock(_))
    }

    /// All luck awards of the tree, with their distributor parameters.
    pub fn luck_awards(&self) -> impl Iterator<Item = (AwardIndex, &str)> {
        self.nodes.iter().filter_map(|node| match node {
            Node::Luck { award, config, .. } => Some((*award, config.as_str())),
            Node::Lock { .. } | Node::Stock { .. } => None,
        })
    }

    /// All luck nodes of the tree, with their awards.
    pub fn luck_nodes(&self) -> impl Iterator<Item = (NodeIndex, AwardIndex)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(index, node)| match node {
            Node::Luck { award, .. } => Some((NodeIndex(index), *award)),
            Node::Lock { .. } | Node::Stock { .. } => None,
        })
    }

    /// Whether a luck node of the tree pays points by its own parameter.
    pub fn pays_points(&self) -> bool {
        let pays = |node: &Node| {
            matches!(
                node,
                Node::Luck {
                    points: Some(_),
                    ..
                }
            )
        };
        self.nodes.iter().any(pays)
    }

    fn walk(&self, from: NodeIndex, locks: Locks) -> Stop {
        let mut at = from;
        loop {
            match &self.nodes[at.0] {
                Node::Lock {
                    draws,
                    allow,
                    take_over,
                } => {
                    let open = match locks {
                        Locks::DrawsToday(made) => made >= *draws,
                        Locks::Skipped => true,
                    };
                    at = if open { *allow } else { *take_over };
                }
                Node::Stock { .. } => return Stop::Stock(at),
                Node::Luck { award, .. } => return Stop::Luck(at, *award),
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Unseen,
    OnPath,
    Done,
}

/// Depth-first search: a node met while still on the path closes a cycle.
fn visit(nodes: &[Node], at: NodeIndex, marks: &mut [Mark], faults: &mut Vec<InvalidTree>) {
    match marks[at.0] {
        Mark::Done => return,
        Mark::OnPath => return faults.push(InvalidTree::Cycle(at)),
        Mark::Unseen => marks[at.0] = Mark::OnPath,
    }
    match &nodes[at.0] {
        Node::Lock {
            allow, take_over, ..
        } => {
            visit(nodes, *allow, marks, faults);
            visit(nodes, *take_over, marks, faults);
        }
        Node::Stock { allow } => visit(nodes, *allow, marks, faults),
        Node::Luck { .. } => {}
    }
    marks[at.0] = Mark::Done;
}

#[cfg(test)]
mod tests {
    use super::*;

    const LUCK: AwardIndex = AwardIndex(0);

    fn lock(draws: u32, allow: usize, take_over: usize) -> Node {
        Node::Lock {
            draws,
            allow: NodeIndex(allow),
            take_over: NodeIndex(take_over),
        }
    }

    fn stock(allow: usize) -> Node {
        Node::Stock {
            allow: NodeIndex(allow),
        }
    }

    fn luck() -> Node {
        Node::Luck {
            award: LUCK,
            config: "1,100".into(),
            points: None,
        }
    }

    fn tree(nodes: Vec<Node>) -> Tree {
        Tree::new(nodes, NodeIndex(0)).expect("a valid tree")
    }

    #[test]
    fn a_lock_opens_with_the_draw_after_its_threshold() {
        let tree = tree(vec![lock(2, 1, 2), stock(2), luck()]);
        let luck = Stop::Luck(NodeIndex(2), LUCK);
        assert_eq!(tree.enter(Locks::DrawsToday(1)), luck);
        assert_eq!(tree.enter(Locks::DrawsToday(2)), Stop::Stock(NodeIndex(1)));
        assert_eq!(tree.enter(Locks::Skipped), Stop::Stock(NodeIndex(1)));
        assert_eq!(tree.out_of_stock(NodeIndex(1), Locks::Skipped), luck);
    }

    #[test]
    fn unlocked_at_names_the_next_opening() {
        let tree_lock_2 = tree(vec![lock(2, 1, 2), stock(2), luck()]);
        assert_eq!(
            [0, 1, 2, 9].map(|made| tree_lock_2.unlocked_at(made)),
            [Some(2), Some(2), Some(2), Some(9)]
        );
        // Open for the first three draws of a day only, then again from the tenth on.
        let early_or_late = tree(vec![lock(3, 1, 2), lock(9, 2, 3), stock(3), luck()]);
        assert_eq!(
            [0, 2, 3, 8, 9].map(|made| early_or_late.unlocked_at(made)),
            [Some(0), Some(2), Some(9), Some(9), Some(9)]
        );
        // Open for the first draw only.
        let first_only = tree(vec![lock(1, 2, 1), stock(2), luck()]);
        assert_eq!(
            [0, 1].map(|made| first_only.unlocked_at(made)),
            [Some(0), None]
        );
    }

    #[test]
    fn shapes_that_cannot_end_are_refused() {
        let cycle = Tree::new(vec![lock(1, 1, 2), stock(0), luck()], NodeIndex(0));
        assert_eq!(cycle, Err(vec![InvalidTree::Cycle(NodeIndex(0))]));
        let orphan = Tree::new(vec![luck(), stock(0)], NodeIndex(0));
        assert_eq!(orphan, Err(vec![InvalidTree::Unreachable(NodeIndex(1))]));
        let own_tail = Tree::new(vec![stock(0)], NodeIndex(0));
        assert_eq!(own_tail, Err(vec![InvalidTree::Cycle(NodeIndex(0))]));
    }
}
