//! One function: follows its floats through operand stack, locals and control flow.
//!
//! The body is walked once, beside wasmparser's validator, which knows the types. Whatever is not named
//! here sees the bits of all its operands, so an instruction that is forgotten costs time and no result.

use wasmparser::{
    BrTable, FrameKind, FuncValidator, FuncValidatorAllocations, FunctionBody, ModuleArity,
    Operator, OperatorsReader, ValType, WasmModuleResources,
};

use super::Refused;
use super::instruction::{Lanes, Role, role};
use super::values::{Kind, Rule, Site, Value, Values, Width};

/// What must be inserted after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insertion {
    /// Canonicalise the float on top of the stack.
    Scalar(Width, Kind),
    /// Canonicalise all lanes of the vector on top of the stack.
    Vector(Lanes),
}

/// Insertions of one function, each with the position of the instruction that it comes after, in order.
pub(super) type Insertions = Vec<(usize, Insertion)>;

/// What arrives at a label: values on the stack, then the float locals.
struct Arrivals {
    values: Vec<Value>,
    /// Which of them are joins of this label, and may be joined further.
    own: Vec<bool>,
}

/// A block, or the function.
struct Frame {
    kind: FrameKind,
    /// Height of the operand stack below its parameters.
    height: usize,
    /// Of an `if`: parameters and locals that the other branch begins with.
    other: Option<Vec<Value>>,
    /// What arrives at its label; of a loop that is its start.
    arrivals: Option<Arrivals>,
}

pub(super) struct Walk<'a, R> {
    validator: FuncValidator<R>,
    values: Values,
    insertions: Insertions,
    /// The operand stack, with [`Value::EXACT`] for whatever is no float.
    stack: Vec<Value>,
    /// What float locals hold.
    locals: Vec<Value>,
    /// By local, its place in `locals`.
    places: Vec<Option<usize>>,
    frames: Vec<Frame>,
    /// Whether the next instruction can be reached.
    reached: bool,
    /// Values that may still be joined. Shared by all functions, so that time is bounded by size.
    joins_left: &'a mut u64,
}

impl<'a, R: WasmModuleResources> Walk<'a, R> {
    /// Reads the types of locals, and starts at the first instruction.
    pub(super) fn new(
        mut validator: FuncValidator<R>,
        body: &FunctionBody<'_>,
        joins_left: &'a mut u64,
    ) -> Result<Self, Refused> {
        validator.read_locals(&mut body.get_binary_reader())?;
        let parameters = parameters(&validator);
        let mut places = Vec::new();
        let mut locals = Vec::new();
        for local in 0..validator.len_locals() {
            let float = matches!(
                validator.get_local_type(local),
                Some(ValType::F32 | ValType::F64)
            );
            places.push(float.then_some(locals.len()));
            if float {
                // A caller hands over exact bits, and other locals begin with zero.
                let given = (local as usize) < parameters;
                locals.push(if given { Value::EXACT } else { Value::NUMBER });
            }
        }
        Ok(Self {
            validator,
            values: Values::new(),
            insertions: Vec::new(),
            stack: Vec::new(),
            locals,
            places,
            frames: vec![Frame {
                kind: FrameKind::Block,
                height: 0,
                other: None,
                arrivals: None,
            }],
            reached: true,
            joins_left,
        })
    }

    /// Walks to the end.
    pub(super) fn walk(&mut self, body: &FunctionBody<'_>) -> Result<(), Refused> {
        let mut reader: OperatorsReader<'_> = body.get_operators_reader()?;
        let mut instruction = 0;
        while !reader.eof() {
            let (operator, offset) = reader.read_with_offset()?;
            let arity = operator
                .operator_arity(&self.validator)
                .ok_or(Refused::Unknown { offset })?;
            self.validator.op(offset, &operator)?;
            self.step(instruction, offset, &operator, arity)?;
            instruction += 1;
        }
        reader.finish()?;
        Ok(())
    }

    /// Locals of the function, parameters included.
    pub(super) fn locals(&self) -> u32 {
        self.validator.len_locals()
    }

    /// What must be inserted, and memory to be used again.
    pub(super) fn finish(self) -> (Insertions, FuncValidatorAllocations) {
        let sites = self.values.canonicalised();
        let scalars = sites
            .into_iter()
            .map(|(site, kind)| (site.instruction, Insertion::Scalar(site.width, kind)));
        // An instruction leaves a float or a vector, never both.
        let mut insertions = self.insertions;
        insertions.extend(scalars);
        insertions.sort_by_key(|(instruction, _)| *instruction);
        (insertions, self.validator.into_allocations())
    }

    fn step(
        &mut self,
        instruction: usize,
        offset: usize,
        operator: &Operator<'_>,
        (taken, left): (u32, u32),
    ) -> Result<(), Refused> {
        let (taken, left) = (taken as usize, left as usize);
        let role = role(operator).ok_or(Refused::Unknown { offset })?;
        if !self.reached {
            // Never executed: only the nesting counts.
            return match role {
                Role::Open(kind) => {
                    self.open(kind, 0);
                    Ok(())
                }
                Role::Else => self.other_branch(),
                Role::End => self.close(),
                _ => Ok(()),
            };
        }
        match role {
            Role::Open(kind) => {
                let condition = usize::from(kind == FrameKind::If);
                self.pop(condition)?;
                self.open(kind, taken - condition);
                if kind == FrameKind::Loop {
                    self.arrive(0, taken)?;
                    self.begin_joined()?;
                }
                Ok(())
            }
            Role::Else => self.other_branch(),
            Role::End => self.close(),
            Role::Branch(depth) => {
                self.arrive(depth, taken)?;
                self.reached = false;
                Ok(())
            }
            Role::BranchIf(depth) => {
                self.pop(1)?;
                self.arrive(depth, left)
            }
            Role::BranchTable(table) => {
                self.pop(1)?;
                self.branch_table(table, taken - 1)?;
                self.reached = false;
                Ok(())
            }
            Role::Return => {
                self.observe(taken)?;
                self.reached = false;
                Ok(())
            }
            Role::Unreachable => {
                self.reached = false;
                Ok(())
            }
            Role::Arithmetic(width) => {
                self.pop(taken)?;
                let value = self.values.arithmetic(Site { instruction, width });
                self.stack.push(value);
                Ok(())
            }
            Role::VectorArithmetic(lanes) => {
                self.insertions
                    .push((instruction, Insertion::Vector(lanes)));
                Ok(())
            }
            Role::Number => {
                self.pop(taken)?;
                self.stack.push(Value::NUMBER);
                Ok(())
            }
            Role::Blind => {
                self.pop(taken)?;
                self.stack.resize(self.stack.len() + left, Value::EXACT);
                Ok(())
            }
            Role::Sign(rule) => {
                let operand = self.pop(1)?;
                self.derive(instruction, rule, operand.as_slice())
            }
            Role::Select => {
                let operands = self.pop(3)?;
                self.derive(instruction, Rule::OneOf, operands.get(..2).unwrap_or(&[]))
            }
            Role::LocalGet(local) => match self.place(local) {
                Some(place) => {
                    let held = self.locals[place];
                    self.derive(instruction, Rule::OneOf, &[held])
                }
                None => {
                    self.stack.push(Value::EXACT);
                    Ok(())
                }
            },
            Role::LocalSet(local) => {
                let value = self.pop(1)?;
                self.set(local, &value);
                Ok(())
            }
            Role::LocalTee(local) => {
                let value = self.pop(1)?;
                self.set(local, &value);
                // What stays on the stack may be canonicalised without what the local holds.
                self.derive(instruction, Rule::OneOf, &value)
            }
            Role::Observer => {
                self.observe(taken)?;
                self.stack.resize(self.stack.len() + left, Value::EXACT);
                Ok(())
            }
        }
    }

    fn place(&self, local: u32) -> Option<usize> {
        *self.places.get(local as usize)?
    }

    fn set(&mut self, local: u32, value: &[Value]) {
        if let (Some(place), Some(value)) = (self.place(local), value.first()) {
            self.locals[place] = *value;
        }
    }

    fn pop(&mut self, count: usize) -> Result<Vec<Value>, Refused> {
        // The validator has agreed that they are there.
        let below = self.stack.len().checked_sub(count);
        Ok(self.stack.split_off(below.ok_or(Refused::Underflow)?))
    }

    /// Pops what an instruction sees the bits of.
    fn observe(&mut self, count: usize) -> Result<(), Refused> {
        for value in self.pop(count)? {
            self.values.demand(value);
        }
        Ok(())
    }

    /// Pushes what an instruction makes of operands without arithmetic.
    fn derive(
        &mut self,
        instruction: usize,
        rule: Rule,
        operands: &[Value],
    ) -> Result<(), Refused> {
        let width = match self.validator.get_operand_type(0) {
            Some(Some(ValType::F32)) => Width::F32,
            Some(Some(ValType::F64)) => Width::F64,
            // Something else, which is exact.
            _ => {
                self.stack.push(Value::EXACT);
                return Ok(());
            }
        };
        let value = self
            .values
            .derived(rule, operands, Site { instruction, width });
        self.stack.push(value);
        Ok(())
    }

    fn open(&mut self, kind: FrameKind, parameters: usize) {
        let height = self.stack.len().saturating_sub(parameters);
        let other = (self.reached && kind == FrameKind::If).then(|| self.current(parameters));
        self.frames.push(Frame {
            kind,
            height,
            other,
            arrivals: None,
        });
    }

    /// The topmost values of the stack, then the locals.
    fn current(&self, count: usize) -> Vec<Value> {
        let below = self.stack.len().saturating_sub(count);
        self.stack[below..]
            .iter()
            .chain(&self.locals)
            .copied()
            .collect()
    }

    /// Goes on with these values on top of `height` and in the locals.
    fn begin(&mut self, height: usize, values: &[Value]) {
        let (stack, locals) = values.split_at(values.len() - self.locals.len());
        self.stack.truncate(height);
        self.stack.extend_from_slice(stack);
        self.locals.copy_from_slice(locals);
        self.reached = true;
    }

    /// The topmost `count` values and the locals arrive at a label.
    fn arrive(&mut self, depth: u32, count: usize) -> Result<(), Refused> {
        let arriving = self.current(count);
        self.arrive_with(depth, arriving)
    }

    fn arrive_with(&mut self, depth: u32, arriving: Vec<Value>) -> Result<(), Refused> {
        let index = (self.frames.len())
            .checked_sub(1 + depth as usize)
            .ok_or(Refused::Underflow)?;
        if index == 0 {
            // Out of the function, and the locals are gone.
            let results = arriving.len() - self.locals.len();
            for value in &arriving[..results] {
                self.values.demand(*value);
            }
            return Ok(());
        }
        *self.joins_left = (self.joins_left)
            .checked_sub(1 + arriving.len() as u64)
            .ok_or(Refused::TooManyJoins)?;
        let values = &mut self.values;
        let frame = &mut self.frames[index];
        match &mut frame.arrivals {
            // Whatever comes back to the start of a loop is joined: what that will be is not known yet.
            None if frame.kind == FrameKind::Loop => {
                frame.arrivals = Some(Arrivals {
                    own: vec![true; arriving.len()],
                    values: arriving
                        .into_iter()
                        .map(|value| values.joined(value))
                        .collect(),
                });
            }
            None => {
                frame.arrivals = Some(Arrivals {
                    own: vec![false; arriving.len()],
                    values: arriving,
                });
            }
            Some(arrivals) => {
                for ((there, own), value) in
                    (arrivals.values.iter_mut().zip(&mut arrivals.own)).zip(arriving)
                {
                    if *there == value {
                        continue;
                    }
                    if !*own {
                        *there = values.joined(*there);
                        *own = true;
                    }
                    values.join(*there, value);
                }
            }
        }
        Ok(())
    }

    /// Goes on at the start of the loop that was opened last.
    fn begin_joined(&mut self) -> Result<(), Refused> {
        let frame = self.frames.last().ok_or(Refused::Underflow)?;
        if let Some(arrivals) = &frame.arrivals {
            let (height, values) = (frame.height, arrivals.values.clone());
            self.begin(height, &values);
        }
        Ok(())
    }

    fn branch_table(&mut self, table: &BrTable<'_>, count: usize) -> Result<(), Refused> {
        let mut targets = table.targets().collect::<Result<Vec<u32>, _>>()?;
        targets.push(table.default());
        targets.sort_unstable();
        targets.dedup();
        for target in targets {
            self.arrive(target, count)?;
        }
        Ok(())
    }

    /// `else`.
    fn other_branch(&mut self) -> Result<(), Refused> {
        let results = self.above()?;
        if self.reached {
            self.arrive(0, results)?;
        }
        let frame = self.frames.last_mut().ok_or(Refused::Underflow)?;
        frame.kind = FrameKind::Else;
        let height = frame.height;
        if let Some(other) = frame.other.take() {
            self.begin(height, &other);
        }
        Ok(())
    }

    /// `end`.
    fn close(&mut self) -> Result<(), Refused> {
        let results = self.above()?;
        if self.frames.len() == 1 {
            if self.reached {
                self.observe(results)?;
            }
            return Ok(());
        }
        if self
            .frames
            .last()
            .is_some_and(|frame| frame.kind == FrameKind::Loop)
        {
            // Its label is its start; only what falls through gets here.
            self.frames.pop();
            return Ok(());
        }
        if self.reached {
            self.arrive(0, results)?;
        }
        // An `if` without `else` hands its parameters on.
        let frame = self.frames.last_mut().ok_or(Refused::Underflow)?;
        if let Some(other) = frame.other.take() {
            self.arrive_with(0, other)?;
        }
        let frame = self.frames.pop().ok_or(Refused::Underflow)?;
        match frame.arrivals {
            Some(arrivals) => self.begin(frame.height, &arrivals.values),
            None => self.reached = false,
        }
        Ok(())
    }

    /// How many values lie on the stack above the innermost block's height.
    fn above(&self) -> Result<usize, Refused> {
        let frame = self.frames.last().ok_or(Refused::Underflow)?;
        Ok(self.stack.len().saturating_sub(frame.height))
    }
}

fn parameters<R: WasmModuleResources>(validator: &FuncValidator<R>) -> usize {
    validator
        .type_index_of_function(validator.index())
        .and_then(|index| validator.sub_type_at(index))
        .map_or(0, |function| function.unwrap_func().params().len())
}
