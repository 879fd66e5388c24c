//! The routing tree: which routes an alert takes, and what each of them has inherited.

use model::Labels;

use crate::config::{Config, GroupBy, Route};
use crate::matchers::Matchers;

const GROUP_WAIT_MS: i64 = 30_000;
const GROUP_INTERVAL_MS: i64 = 5 * 60_000;
const REPEAT_INTERVAL_MS: i64 = 4 * 3_600_000;

/// The tree, flat: the root first, and each route before those below it.
#[derive(Clone, Debug)]
pub struct RoutingTree {
    nodes: Vec<RouteNode>,
}

/// One route with all that it has inherited.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteNode {
    /// What it is known by among its siblings and over restarts: the key, and its place where keys may be the same.
    pub id: String,
    /// The keys of the routes from the root to this one, with slashes between them: `{}/{team="a"}`.
    pub key: String,
    /// The receiver's name.
    pub receiver: String,
    /// By which labels alerts are grouped.
    pub group_by: GroupBy,
    /// How long a new group waits.
    pub group_wait_ms: i64,
    /// How long it waits between flushes.
    pub group_interval_ms: i64,
    /// After how long a notification is repeated.
    pub repeat_interval_ms: i64,
    /// Intervals in which it is mute; not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Intervals outside of which it is mute; not inherited.
    pub active_time_intervals: Vec<String>,
    matchers: Matchers,
    pub(crate) continues: bool,
    /// Indices of the routes below it.
    below: Vec<usize>,
}

impl RoutingTree {
    /// The tree of a configuration.
    pub fn of(config: &Config) -> Self {
        let root = RouteNode {
            id: String::new(),
            key: String::new(),
            receiver: String::new(),
            group_by: GroupBy::Labels(Vec::new()),
            group_wait_ms: GROUP_WAIT_MS,
            group_interval_ms: GROUP_INTERVAL_MS,
            repeat_interval_ms: REPEAT_INTERVAL_MS,
            mute_time_intervals: Vec::new(),
            active_time_intervals: Vec::new(),
            matchers: Matchers::default(),
            continues: false,
            below: Vec::new(),
        };
        let mut tree = Self { nodes: Vec::new() };
        tree.add(&config.route, &root, None);
        tree
    }

    /// Adds a route and those below it; `index` is its place among its siblings. Returns where it stands.
    fn add(&mut self, route: &Route, parent: &RouteNode, index: Option<usize>) -> usize {
        let matchers = route.matchers.to_string();
        let (key, id) = match index {
            Some(index) => {
                (format!("{}/{matchers}", parent.key), format!("{}/{matchers}/{index}", parent.id))
            }
            None => (matchers.clone(), matchers),
        };
        let node = RouteNode {
            id,
            key,
            receiver: route.receiver.clone().unwrap_or_else(|| parent.receiver.clone()),
            group_by: route.group_by.clone().unwrap_or_else(|| parent.group_by.clone()),
            group_wait_ms: route.group_wait_ms.unwrap_or(parent.group_wait_ms),
            group_interval_ms: route.group_interval_ms.unwrap_or(parent.group_interval_ms),
            repeat_interval_ms: route.repeat_interval_ms.unwrap_or(parent.repeat_interval_ms),
            mute_time_intervals: route.mute_time_intervals.clone(),
            active_time_intervals: route.active_time_intervals.clone(),
            matchers: route.matchers.clone(),
            continues: route.continues,
            below: Vec::new(),
        };
        let at = self.nodes.len();
        self.nodes.push(node.clone());
        let below = route.routes.iter().enumerate().map(|(index, child)| self.add(child, &node, Some(index)));
        let below = below.collect();
        self.nodes[at].below = below;
        at
    }

    /// The routes that an alert with these labels takes, in the order of the tree; at least one.
    pub fn matching(&self, labels: &Labels) -> Vec<&RouteNode> {
        let mut found = Vec::new();
        self.collect(0, labels, &mut found);
        found
    }

    /// All routes, each before those below it.
    pub fn nodes(&self) -> &[RouteNode] {
        &self.nodes
    }

    fn collect<'a>(&'a self, at: usize, labels: &Labels, found: &mut Vec<&'a RouteNode>) {
        let node = &self.nodes[at];
        let before = found.len();
        for child in &node.below {
            if !self.nodes[*child].matchers.matches(labels) {
                continue;
            }
            self.collect(*child, labels, found);
            if !self.nodes[*child].continues {
                break;
            }
        }
        if found.len() == before {
            found.push(node);
        }
    }
}

impl RouteNode {
    /// The labels by which an alert is grouped: of those that the route names, the ones that the alert has.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                let pairs = names.iter().filter_map(|name| Some((name.as_str(), labels.get(name)?)));
                Labels::from_pairs(pairs)
            }
        }
    }

    /// What a group of this route is known by to receivers: `{}/{team="a"}:{alertname="Down"}`.
    pub fn group_key(&self, group_labels: &Labels) -> String {
        let pairs: Vec<String> = group_labels
            .iter()
            .map(|label| format!("{}={}", shown_name(&label.name), model::quote::quoted(&label.value)))
            .collect();
        format!("{}:{{{}}}", self.key, pairs.join(", "))
    }
}

fn shown_name(name: &str) -> String {
    if model::name::is_legacy_label_name(name) { name.to_owned() } else { model::quote::quoted(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(routes: &str, receivers: &[&str]) -> RoutingTree {
        let receivers: Vec<String> = receivers.iter().map(|name| format!("{{name: {name}}}")).collect();
        let text = format!("route: {routes}\nreceivers: [{}]\n", receivers.join(", "));
        RoutingTree::of(&Config::read(&text).expect("reads"))
    }

    fn taken(tree: &RoutingTree, labels: &[(&str, &str)]) -> Vec<String> {
        let labels = Labels::from_pairs(labels.iter().copied());
        tree.matching(&labels).iter().map(|node| node.receiver.clone()).collect()
    }

    #[test]
    fn an_alert_takes_the_first_route_and_more_if_that_continues() {
        let tree = tree(
            r#"
  receiver: default
  routes:
    - {matchers: ['owner="a"'], receiver: a, routes: [
        {matchers: ['env=~"t.*"'], receiver: a-testing, continue: true},
        {matchers: ['env!="production"'], receiver: a-rest}]}
    - {match_re: {owner: "b|c"}, receiver: bc, continue: true}
    - {matchers: ['owner="b"'], receiver: b}
    - {matchers: ['missing=""', 'owner="d"'], receiver: d}"#,
            &["default", "a", "a-testing", "a-rest", "bc", "b", "d"],
        );
        let check =
            |labels: &[(&str, &str)], expect: &[&str]| assert_eq!(taken(&tree, labels), expect, "{labels:?}");
        check(&[], &["default"]);
        check(&[("owner", "a")], &["a-rest"]);
        check(&[("owner", "a"), ("env", "production")], &["a"]);
        check(&[("owner", "a"), ("env", "testing")], &["a-testing", "a-rest"]);
        check(&[("owner", "b")], &["bc", "b"]);
        check(&[("owner", "c")], &["bc"]);
        check(&[("owner", "d")], &["d"]);
        check(&[("owner", "d"), ("missing", "no")], &["default"]);
    }

    #[test]
    fn what_is_not_set_is_inherited() {
        let tree = tree(
            "
  receiver: r
  group_by: [alertname]
  group_wait: 1s
  routes:
    - {matchers: ['a=b'], group_interval: 2m, mute_time_intervals: [t], continue: true, routes: [
        {matchers: ['c=d'], group_by: ['...']}, {group_by: []}]}",
            &["r}, {name: s}]\ntime_intervals: [{name: t"],
        );
        let [root, first, deep, reset] = tree.nodes() else { panic!("four routes") };
        assert_eq!(
            (root.group_wait_ms, root.group_interval_ms, root.repeat_interval_ms),
            (1_000, 300_000, 14_400_000)
        );
        assert_eq!((first.group_wait_ms, first.group_interval_ms), (1_000, 120_000));
        assert_eq!(first.group_by, GroupBy::Labels(vec!["alertname".to_owned()]));
        assert_eq!((deep.group_interval_ms, &deep.group_by), (120_000, &GroupBy::All));
        assert!(deep.mute_time_intervals.is_empty() && !deep.continues);
        assert_eq!(reset.group_by, GroupBy::Labels(Vec::new()));
        assert_eq!(deep.key, r#"{}/{a="b"}/{c="d"}"#);
        assert_eq!(deep.id, r#"{}/{a="b"}/0/{c="d"}/0"#);
        let alert = Labels::from_pairs([("alertname", "N"), ("x", "y\"")]);
        assert_eq!(root.group_key(&root.group_labels(&alert)), r#"{}:{alertname="N"}"#);
        assert_eq!(
            deep.group_key(&deep.group_labels(&alert)),
            r#"{}/{a="b"}/{c="d"}:{alertname="N", x="y\""}"#
        );
        assert_eq!(reset.group_key(&reset.group_labels(&alert)), r#"{}/{a="b"}/{}:{}"#);
    }

    /// Trees and label sets with what `amtool config routes test` of 0.33.1 says of them.
    #[test]
    fn routes_are_those_of_alertmanager() {
        type Case = (std::collections::BTreeMap<String, String>, Vec<String>);
        let trees: Vec<(String, Vec<Case>)> =
            serde_json::from_str(include_str!("routes.json")).expect("is JSON");
        assert_eq!(trees.iter().map(|(_, cases)| cases.len()).sum::<usize>(), 400);
        for (text, cases) in trees {
            let tree = RoutingTree::of(&Config::read(&text).expect("reads"));
            for (labels, expect) in cases {
                let found = tree.matching(&Labels::from_pairs(labels.clone()));
                let found: Vec<&str> = found.iter().map(|node| node.receiver.as_str()).collect();
                assert_eq!(found, expect, "{labels:?} in {text}");
            }
        }
    }
}
