//! The floats of one function as a graph: which bits a NaN among them has, and which must be made exact.
//!
//! See the [module above](super) for what makes this sound.

/// A float that an instruction leaves on the operand stack, or one where control flow joins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value(u32);

impl Value {
    /// Has its bits from elsewhere: loads, parameters, call results. Also stands for whatever is no float.
    pub(super) const EXACT: Self = Self(0);
    /// Is never a NaN.
    pub(super) const NUMBER: Self = Self(1);

    fn index(self) -> usize {
        self.0 as usize
    }
}

/// What is known of the bits that a value has *if it is a NaN and the engine's switch is on*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is never one.
    Number,
    /// The canonical NaN.
    Canonical,
    /// The canonical NaN with its sign flipped.
    Negated,
    /// Nothing.
    Any,
}

impl Kind {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number, kind) | (kind, Self::Number) => kind,
            (one, other) if one == other => one,
            _ => Self::Any,
        }
    }
}

/// How a value follows from its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rule {
    /// The leaf [`Value::EXACT`].
    Exact,
    /// The leaf [`Value::NUMBER`].
    Number,
    /// Arithmetic: the bits of operands do not matter.
    Arithmetic,
    /// One of the operands, unchanged.
    OneOf,
    /// The operand with its sign flipped.
    Negate,
    /// The operand without its sign.
    Absolute,
}

/// Width of a float.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Width {
    F32,
    F64,
}

/// Where a value lies on top of the operand stack: after this instruction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// Position of the instruction in the function.
    pub(super) instruction: usize,
    /// Width of the value.
    pub(super) width: Width,
}

struct Node {
    rule: Rule,
    kind: Kind,
    /// Whether it must have the bits that it has with the engine's switch.
    demanded: bool,
    /// `None` where control flow joins.
    site: Option<Site>,
}

/// All values of a function.
pub(super) struct Values {
    nodes: Vec<Node>,
    /// Pairs of a value and one of its operands.
    edges: Vec<(Value, Value)>,
    demands: Vec<Value>,
}

impl Values {
    pub(super) fn new() -> Self {
        let mut values = Self {
            nodes: Vec::new(),
            edges: Vec::new(),
            demands: Vec::new(),
        };
        values.node(Rule::Exact, None);
        values.node(Rule::Number, None);
        values
    }

    fn node(&mut self, rule: Rule, site: Option<Site>) -> Value {
        // A function has fewer bytes than fit in 32 bits, and joins are limited.
        let value = Value(self.nodes.len() as u32);
        let kind = match rule {
            Rule::Exact => Kind::Any,
            Rule::Arithmetic => Kind::Canonical,
            Rule::Number | Rule::OneOf | Rule::Negate | Rule::Absolute => Kind::Number,
        };
        self.nodes.push(Node {
            rule,
            kind,
            demanded: false,
            site,
        });
        value
    }

    /// What arithmetic gives.
    pub(super) fn arithmetic(&mut self, site: Site) -> Value {
        self.node(Rule::Arithmetic, Some(site))
    }

    /// What an instruction makes of its operands without doing arithmetic.
    pub(super) fn derived(&mut self, rule: Rule, operands: &[Value], site: Site) -> Value {
        for leaf in [Value::EXACT, Value::NUMBER] {
            if operands.iter().all(|operand| *operand == leaf) {
                return leaf;
            }
        }
        let value = self.node(rule, Some(site));
        self.edges
            .extend(operands.iter().map(|operand| (value, *operand)));
        value
    }

    /// What arrives where control flow joins. More may [join](Self::join) it.
    pub(super) fn joined(&mut self, first: Value) -> Value {
        let value = self.node(Rule::OneOf, None);
        self.join(value, first);
        value
    }

    /// Another value arrives at `joined`.
    pub(super) fn join(&mut self, joined: Value, arriving: Value) {
        self.edges.push((joined, arriving));
    }

    /// The bits of this value are seen.
    pub(super) fn demand(&mut self, value: Value) {
        if value != Value::EXACT && value != Value::NUMBER {
            self.demands.push(value);
        }
    }

    /// After which instructions what lies on top of the stack must be canonicalised, and to what, in order.
    pub(super) fn canonicalised(mut self) -> Vec<(Site, Kind)> {
        self.settle_kinds();
        self.spread_demands();
        let operands = Adjacent::of(self.nodes.len(), self.edges.iter().copied());
        let exact = |value: &Value| {
            let node = &self.nodes[value.index()];
            node.demanded || matches!(node.kind, Kind::Number) || node.rule == Rule::Exact
        };
        let mut sites: Vec<(Site, Kind)> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let Some(site) = node.site else { continue };
            let known = matches!(node.kind, Kind::Canonical | Kind::Negated);
            // What is derived from exact operands is exact.
            let derived =
                node.rule != Rule::Arithmetic && operands.of_index(index).iter().all(exact);
            if node.demanded && known && !derived {
                sites.push((site, node.kind));
            }
        }
        sites
    }

    /// The least kinds that agree with all rules.
    fn settle_kinds(&mut self) {
        let users = Adjacent::of(
            self.nodes.len(),
            self.edges.iter().map(|(user, operand)| (*operand, *user)),
        );
        let mut changed: Vec<Value> = (0..self.nodes.len() as u32).map(Value).collect();
        while let Some(value) = changed.pop() {
            let kind = self.nodes[value.index()].kind;
            for user in users.of_index(value.index()) {
                let node = &mut self.nodes[user.index()];
                let arriving = match (node.rule, kind) {
                    (Rule::Negate, Kind::Canonical) => Kind::Negated,
                    (Rule::Negate, Kind::Negated) => Kind::Canonical,
                    (Rule::Absolute, Kind::Negated) => Kind::Canonical,
                    (_, kind) => kind,
                };
                let joined = node.kind.join(arriving);
                if joined != node.kind {
                    node.kind = joined;
                    changed.push(*user);
                }
            }
        }
    }

    /// A demand goes on to the operands of a value that cannot be canonicalised itself: because its bits
    /// are not known, or because there is no one instruction that leaves it on the stack.
    fn spread_demands(&mut self) {
        let operands = Adjacent::of(self.nodes.len(), self.edges.iter().copied());
        let mut demands = std::mem::take(&mut self.demands);
        while let Some(value) = demands.pop() {
            let node = &mut self.nodes[value.index()];
            if std::mem::replace(&mut node.demanded, true) {
                continue;
            }
            if node.kind == Kind::Any || node.site.is_none() {
                demands.extend_from_slice(operands.of_index(value.index()));
            }
        }
    }
}

/// Pairs by their first: compressed sparse rows.
struct Adjacent {
    starts: Vec<u32>,
    seconds: Vec<Value>,
}

impl Adjacent {
    fn of(nodes: usize, pairs: impl Iterator<Item = (Value, Value)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        for (first, _) in pairs.clone() {
            starts[first.index() + 1] += 1;
        }
        for index in 0..nodes {
            starts[index + 1] += starts[index];
        }
        let mut next = starts.clone();
        let mut seconds = vec![Value::EXACT; starts[nodes] as usize];
        for (first, second) in pairs {
            let at = &mut next[first.index()];
            seconds[*at as usize] = second;
            *at += 1;
        }
        Self { starts, seconds }
    }

    fn of_index(&self, index: usize) -> &[Value] {
        &self.seconds[self.starts[index] as usize..self.starts[index + 1] as usize]
    }
}
