//! What it takes to put a component together, told from its declarations alone.
//!
//! The engine unfolds a component: for each instance of an inner component it goes through that component again,
//! hands over all that its imports are, and makes an adapter for each function that one lifts and another lowers.
//! A type is gone through wherever it is mentioned, so types that share what they are made of cost as if
//! they did not. A few hundred bytes can so stand for any amount of work, and validating is part of it. Here
//! nothing is unfolded and nothing compared: everything has a size, which is the sum of the sizes of what it is
//! made of, and whatever mentions it costs that. So one pass over the bytes is enough.

use std::collections::BTreeMap;

use wasmparser::{
    BinaryReader, BinaryReaderError, CanonicalFunction, ComponentAlias, ComponentDefinedType,
    ComponentExport, ComponentExternName, ComponentExternalKind as Kind, ComponentImport,
    ComponentInstance, ComponentOuterAliasKind as Outer, ComponentType, ComponentTypeRef,
    ComponentValType, CompositeInnerType, CoreType, Instance, ModuleTypeDeclaration, Parser,
    Payload, PrimitiveValType, RecGroup, TypeBounds,
};

use super::limit;
use crate::sandbox::BadComponent;

/// Bytes that declare something, and so are neither code nor data nor a custom section.
const MAX_DECLARED: u64 = 8 << 20;

/// Bytes that say how core modules start: of tables and elements, four times those of globals, and eight for each
/// piece of data. The engine makes one function of them for each module.
const MAX_START: u64 = 512 << 10;

/// Sizes of all that is mentioned, and of what instances are made of and given, in units of a field.
const MAX_MENTIONED: u64 = 1 << 20;

/// Sizes of the functions that are lowered, each of which may become an adapter.
const MAX_LOWERED: u64 = 1 << 18;

/// Functions that the engine makes itself, for types and for what is lowered.
const MAX_GLUE: u64 = 50_000;

/// Instances of inner components, times all resources and functions that there are while they are made.
const MAX_COPIED: u64 = 1 << 24;

/// Components and types in each other.
const MAX_DEPTH: u64 = 100;

/// What takes an adapter how much, in units of a number.
const ADAPTER: u64 = 20;
const STRING: u64 = 40;
const LIST: u64 = 12;
const CHAR: u64 = 6;
const HANDLE: u64 = 4;
const CASE: u64 = 2;

/// Goes through the declarations, and refuses what would be too much. Gives where something is mentioned that is
/// not there: what comes after it was not counted, and no valid component has such a place.
pub(super) fn check(bytes: &[u8]) -> Result<Option<usize>, BadComponent> {
    let mut assembly = Assembly::default();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(payload) = payload else {
            return Ok(None);
        };
        let at = payload.as_section().map_or(0, |(_, range)| range.start);
        match assembly.payload(bytes, &payload) {
            Ok(()) => {}
            Err(Stop::Lost) => return Ok(Some(at)),
            Err(Stop::TooMuch(refused)) => return Err(refused),
        }
    }
    Ok(None)
}

/// Why counting ends.
enum Stop {
    /// Something is mentioned that is not there, or cannot be read.
    Lost,
    TooMuch(BadComponent),
}

impl From<BinaryReaderError> for Stop {
    fn from(_: BinaryReaderError) -> Self {
        Self::Lost
    }
}

impl From<BadComponent> for Stop {
    fn from(refused: BadComponent) -> Self {
        Self::TooMuch(refused)
    }
}

type Counted<T = ()> = Result<T, Stop>;

/// What there is of a type, a function, a module, a component or an instance. All numbers are those of it unfolded.
#[derive(Clone, Copy, Default)]
struct Item {
    /// Names and parts, all together.
    size: u64,
    /// What handing it over takes an adapter, in units of a number.
    code: u64,
    /// Resource types in it.
    resources: u64,
    /// What an instance has, and an instance of a component: in `Assembly::instances`.
    instance: Option<usize>,
    /// What an instance of a component costs: in `Assembly::costs`. Not known of one that is handed in.
    cost: Option<usize>,
}

impl Item {
    fn of(size: u64) -> Self {
        Self {
            size,
            ..Self::default()
        }
    }

    /// A part that is a value, which takes an adapter so much.
    fn value(code: u64) -> Self {
        Self {
            code,
            ..Self::of(1)
        }
    }

    fn add(&mut self, other: Self) {
        self.size = self.size.saturating_add(other.size);
        self.code = self.code.saturating_add(other.code);
        self.resources = self.resources.saturating_add(other.resources);
    }

    /// With what a name of so many bytes adds.
    fn named(mut self, name: &str) -> Self {
        self.size = self.size.saturating_add(name_size(name));
        self
    }
}

/// Names are copied wherever what they name is mentioned.
fn name_size(name: &str) -> u64 {
    1 + name.len() as u64 / 32
}

/// What an instance exports.
#[derive(Default)]
struct Exports<'a> {
    all: Item,
    by_name: BTreeMap<&'a str, (Kind, Item)>,
}

impl<'a> Exports<'a> {
    fn add(&mut self, name: &'a str, kind: Kind, item: Item) {
        self.all.add(item.named(name));
        self.by_name.insert(name, (kind, item));
    }
}

/// What making an instance of a component costs, with all inside it.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    mentioned: u64,
    lowered: u64,
    glue: u64,
    instances: u64,
    resources: u64,
}

impl Cost {
    fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.mentioned, other.mentioned),
            (&mut self.lowered, other.lowered),
            (&mut self.glue, other.glue),
            (&mut self.instances, other.instances),
            (&mut self.resources, other.resources),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn check(&self) -> Result<(), BadComponent> {
        limit(
            "types, names and parts, counted wherever they are mentioned",
            self.mentioned,
            MAX_MENTIONED,
        )?;
        limit(
            "values that may be handed from one inner component to another",
            self.lowered,
            MAX_LOWERED,
        )?;
        limit("signatures and lowered functions", self.glue, MAX_GLUE)?;
        limit(
            "resources and lowered functions, counted for each inner instance",
            (self.glue.saturating_add(self.resources)).saturating_mul(self.instances),
            MAX_COPIED,
        )
    }
}

/// A component, or a type of one, or of an instance, that is being read.
#[derive(Default)]
struct Scope<'a> {
    core_types: Vec<Item>,
    modules: Vec<Item>,
    core_instances: Vec<Item>,
    types: Vec<Item>,
    functions: Vec<Item>,
    instances: Vec<Item>,
    components: Vec<Item>,
    imports: Item,
    exports: Exports<'a>,
    /// Modules and components around it that it uses: it is copied with them.
    closure: u64,
    cost: Cost,
}

impl Scope<'_> {
    fn space(&mut self, kind: Kind) -> Counted<&mut Vec<Item>> {
        Ok(match kind {
            Kind::Module => &mut self.modules,
            Kind::Func => &mut self.functions,
            Kind::Type => &mut self.types,
            Kind::Instance => &mut self.instances,
            Kind::Component => &mut self.components,
            // The engine has none.
            Kind::Value => return Err(Stop::Lost),
        })
    }

    fn get(&mut self, kind: Kind, index: u32) -> Counted<Item> {
        at(self.space(kind)?, index)
    }
}

fn at(space: &[Item], index: u32) -> Counted<Item> {
    space.get(index as usize).copied().ok_or(Stop::Lost)
}

/// A core module that is being read.
#[derive(Default)]
struct CoreModule {
    /// Bytes of its imports and exports.
    surface: u64,
}

#[derive(Default)]
struct Assembly<'a> {
    /// From the outermost on.
    scopes: Vec<Scope<'a>>,
    module: Option<CoreModule>,
    instances: Vec<Exports<'a>>,
    costs: Vec<Cost>,
    declared: u64,
    start: u64,
    /// What is there at all, whether or not there is an instance of it.
    seen: Cost,
}

impl<'a> Assembly<'a> {
    fn payload(&mut self, bytes: &'a [u8], payload: &Payload<'a>) -> Counted {
        use Payload as P;
        if let Some((_, range)) = payload.as_section()
            && !matches!(
                payload,
                P::ModuleSection { .. }
                    | P::ComponentSection { .. }
                    | P::CodeSectionStart { .. }
                    | P::DataSection(_)
                    | P::CustomSection(_)
            )
        {
            self.declared += range.len() as u64;
            limit("bytes of declarations", self.declared, MAX_DECLARED)?;
        }
        match payload {
            P::Version { encoding, .. } => match encoding {
                wasmparser::Encoding::Module => self.module = Some(CoreModule::default()),
                wasmparser::Encoding::Component => self.enter()?,
            },
            P::End(_) => self.end()?,
            P::ComponentTypeSection(section) => {
                // Read by hand, since the parser goes into types in types as deep as they are.
                let range = section.range();
                let content = bytes.get(range.clone()).ok_or(Stop::Lost)?;
                let mut reader = BinaryReader::new(content, range.start);
                for _ in 0..reader.read_var_u32()? {
                    let item = self.component_type(&mut reader)?;
                    self.scope()?.types.push(item);
                }
            }
            P::CoreTypeSection(section) => {
                for each in section.clone() {
                    self.core_type(&each?)?;
                }
            }
            P::ComponentImportSection(section) => {
                for each in section.clone() {
                    self.import(&each?)?;
                }
            }
            P::ComponentExportSection(section) => {
                for each in section.clone() {
                    let export = each?;
                    let item = self.exported(&export)?;
                    let scope = self.scope()?;
                    scope.exports.add(export.name.name, export.kind, item);
                    scope.space(export.kind)?.push(item);
                }
            }
            P::ComponentAliasSection(section) => {
                for each in section.clone() {
                    self.alias(&each?)?;
                }
            }
            P::ComponentInstanceSection(section) => {
                for each in section.clone() {
                    let instance = self.instance(&each?)?;
                    self.scope()?.instances.push(instance);
                }
            }
            P::InstanceSection(section) => {
                for each in section.clone() {
                    self.core_instance(&each?)?;
                }
            }
            P::ComponentCanonicalSection(section) => {
                for each in section.clone() {
                    self.canonical(&each?)?;
                }
            }
            section => self.core_section(section)?,
        }
        Ok(())
    }

    fn core_section(&mut self, section: &Payload<'a>) -> Counted {
        let Some(module) = &mut self.module else {
            return Ok(());
        };
        let length = section
            .as_section()
            .map_or(0, |(_, range)| range.len() as u64);
        match section {
            Payload::TypeSection(types) => {
                let glue = u64::from(types.count()) + length / 16;
                self.spend(Cost {
                    glue,
                    ..Cost::default()
                })?;
            }
            Payload::ImportSection(_) | Payload::ExportSection(_) => module.surface += length,
            Payload::ElementSection(_) => self.start += length,
            Payload::GlobalSection(_) => self.start += 4 * length,
            Payload::DataSection(data) => self.start += 8 * u64::from(data.count()),
            Payload::TableSection(tables) => {
                self.start += length;
                let mut entries: u64 = 0;
                for table in tables.clone() {
                    // Beyond that, the engine does not make an image of it.
                    entries += table?.ty.initial.min(1 << 20);
                }
                self.mention(entries / 16)?;
            }
            _ => {}
        }
        limit(
            "bytes of how modules start, with eight for each piece of data",
            self.start,
            MAX_START,
        )?;
        Ok(())
    }

    /// The end of a module or component.
    fn end(&mut self) -> Counted {
        if let Some(module) = self.module.take() {
            let item = Item::of(1 + module.surface / 4);
            // A component is not around a module that is alone.
            if let Some(scope) = self.scopes.last_mut() {
                scope.modules.push(item);
            }
            return Ok(());
        }
        let component = self.scopes.pop().ok_or(Stop::Lost)?;
        component.cost.check()?;
        let mut item = component.imports;
        item.add(component.exports.all);
        item.size = item.size.saturating_add(1 + component.closure);
        item.instance = Some(self.instances.len());
        item.cost = Some(self.costs.len());
        self.instances.push(component.exports);
        self.costs.push(component.cost);
        if let Some(scope) = self.scopes.last_mut() {
            scope.components.push(item);
        }
        Ok(())
    }

    fn enter(&mut self) -> Counted {
        let depth = self.scopes.len() as u64;
        limit("components and types in each other", depth, MAX_DEPTH)?;
        self.scopes.push(Scope::default());
        Ok(())
    }

    fn scope(&mut self) -> Counted<&mut Scope<'a>> {
        self.scopes.last_mut().ok_or(Stop::Lost)
    }

    fn spend(&mut self, cost: Cost) -> Counted {
        self.seen.add(&cost);
        self.seen.check()?;
        if let Some(scope) = self.scopes.last_mut() {
            scope.cost.add(&cost);
            scope.cost.check()?;
        }
        Ok(())
    }

    fn mention(&mut self, size: u64) -> Counted {
        self.spend(Cost {
            mentioned: size,
            ..Cost::default()
        })
    }

    fn mention_with_resources(&mut self, item: Item) -> Counted {
        self.spend(Cost {
            mentioned: item.size,
            resources: item.resources,
            ..Cost::default()
        })
    }

    /// A type, however it is nested.
    fn component_type(&mut self, reader: &mut BinaryReader<'a>) -> Counted<Item> {
        let mut ahead = reader.clone();
        let first = ahead.read_u8()?;
        if !matches!(first, 0x41 | 0x42) {
            return self.simple_type(&reader.read()?);
        }
        *reader = ahead;
        self.enter()?;
        for _ in 0..reader.read_var_u32()? {
            self.declaration(reader)?;
        }
        let scope = self.scopes.pop().ok_or(Stop::Lost)?;
        let mut item = scope.imports;
        item.add(scope.exports.all);
        item.size = item.size.saturating_add(1);
        item.instance = Some(self.instances.len());
        self.instances.push(scope.exports);
        Ok(item)
    }

    /// What a component type or an instance type declares.
    fn declaration(&mut self, reader: &mut BinaryReader<'a>) -> Counted {
        match reader.read_u8()? {
            0x00 => self.core_type(&reader.read()?),
            0x01 => {
                let item = self.component_type(reader)?;
                self.scope()?.types.push(item);
                Ok(())
            }
            0x02 => self.alias(&reader.read()?),
            0x03 => self.import(&reader.read()?),
            0x04 => {
                let name: ComponentExternName<'a> = reader.read()?;
                let (kind, item) = self.declared(&reader.read()?)?;
                self.mention(item.size)?;
                let scope = self.scope()?;
                scope.exports.add(name.name, kind, item);
                scope.space(kind)?.push(item);
                Ok(())
            }
            _ => Err(Stop::Lost),
        }
    }

    fn simple_type(&mut self, declared: &ComponentType<'a>) -> Counted<Item> {
        use ComponentDefinedType as D;
        let mut item = Item::value(1);
        match declared {
            ComponentType::Defined(defined) => match defined {
                D::Primitive(primitive) => item = of_primitive(*primitive),
                D::Record(fields) => {
                    for (name, field) in fields {
                        item.add(self.value(*field)?.named(name));
                    }
                }
                D::Variant(cases) => {
                    for case in cases {
                        item.add(self.optional(case.ty)?.named(case.name));
                        item.code = item.code.saturating_add(CASE);
                    }
                }
                D::List(element) => {
                    item = Item::value(LIST);
                    item.add(self.value(*element)?);
                }
                D::Map(key, value) => {
                    item = Item::value(LIST);
                    item.add(self.value(*key)?);
                    item.add(self.value(*value)?);
                }
                D::FixedLengthList(element, length) => {
                    let (element, length) = (self.value(*element)?, u64::from(*length));
                    item.add(element);
                    item.code = item
                        .code
                        .saturating_add(element.code.saturating_mul(length));
                }
                D::Tuple(elements) => {
                    for element in elements {
                        item.add(self.value(*element)?);
                    }
                }
                D::Flags(names) | D::Enum(names) => {
                    item.code += names.len() as u64 / 8;
                    for name in names {
                        item.size += name_size(name);
                    }
                }
                D::Option(value) => {
                    item = Item::value(CASE);
                    item.add(self.value(*value)?);
                }
                D::Result { ok, err } => {
                    item = Item::value(2 * CASE);
                    item.add(self.optional(*ok)?);
                    item.add(self.optional(*err)?);
                }
                D::Own(_) | D::Borrow(_) => item = Item::value(HANDLE),
                D::Future(value) | D::Stream(value) => {
                    item = Item::value(HANDLE);
                    item.add(self.optional(*value)?);
                }
            },
            ComponentType::Func(function) => {
                item = Item::value(ADAPTER);
                for (name, value) in &function.params {
                    item.add(self.value(*value)?.named(name));
                }
                item.add(self.optional(function.result)?);
            }
            ComponentType::Resource { .. } => {
                item.resources = 1;
                self.mention_with_resources(item)?;
            }
            // Read by `component_type`.
            ComponentType::Component(_) | ComponentType::Instance(_) => return Err(Stop::Lost),
        }
        Ok(item)
    }

    fn value(&mut self, value: ComponentValType) -> Counted<Item> {
        match value {
            ComponentValType::Primitive(primitive) => Ok(of_primitive(primitive)),
            ComponentValType::Type(index) => at(&self.scope()?.types, index),
        }
    }

    fn optional(&mut self, value: Option<ComponentValType>) -> Counted<Item> {
        value.map_or(Ok(Item::of(1)), |value| self.value(value))
    }

    fn core_type(&mut self, declared: &CoreType<'a>) -> Counted {
        match declared {
            CoreType::Rec(group) => {
                let types = group.types().len();
                self.spend(Cost {
                    glue: signatures(group),
                    ..Cost::default()
                })?;
                let scope = self.scope()?;
                scope
                    .core_types
                    .resize(scope.core_types.len() + types, Item::of(1));
            }
            CoreType::Module(declarations) => {
                let mut item = Item::of(1);
                let mut glue = 0;
                for declaration in declarations {
                    item.size += 1 + match declaration {
                        ModuleTypeDeclaration::Type(group) => {
                            glue += signatures(group);
                            0
                        }
                        ModuleTypeDeclaration::OuterAlias { .. } => 0,
                        ModuleTypeDeclaration::Export { name, .. } => name_size(name),
                        ModuleTypeDeclaration::Import(import) => {
                            name_size(import.module) + name_size(import.name)
                        }
                    };
                }
                self.spend(Cost {
                    glue,
                    ..Cost::default()
                })?;
                self.scope()?.core_types.push(item);
            }
        }
        Ok(())
    }

    /// What is declared to be imported or exported.
    fn declared(&mut self, declared: &ComponentTypeRef) -> Counted<(Kind, Item)> {
        let item = match *declared {
            ComponentTypeRef::Module(index) => at(&self.scope()?.core_types, index)?,
            ComponentTypeRef::Func(index)
            | ComponentTypeRef::Instance(index)
            | ComponentTypeRef::Component(index)
            | ComponentTypeRef::Type(TypeBounds::Eq(index)) => at(&self.scope()?.types, index)?,
            ComponentTypeRef::Type(TypeBounds::SubResource) => Item {
                resources: 1,
                ..Item::of(1)
            },
            ComponentTypeRef::Value(_) => return Err(Stop::Lost),
        };
        Ok((declared.kind(), item))
    }

    fn import(&mut self, import: &ComponentImport<'a>) -> Counted {
        let (kind, item) = self.declared(&import.ty)?;
        self.mention_with_resources(item.named(import.name.name))?;
        let scope = self.scope()?;
        scope.imports.add(item.named(import.name.name));
        scope.space(kind)?.push(item);
        Ok(())
    }

    fn exported(&mut self, export: &ComponentExport<'a>) -> Counted<Item> {
        let mut item = self.scope()?.get(export.kind, export.index)?;
        if let Some(declared) = &export.ty {
            let (_, declared) = self.declared(declared)?;
            self.mention(declared.size)?;
            // What is known of it stays known.
            item.size = item.size.max(declared.size);
            item.resources = item.resources.max(declared.resources);
            item.instance = declared.instance.or(item.instance);
        }
        self.mention(item.named(export.name.name).size)?;
        Ok(item)
    }

    fn alias(&mut self, alias: &ComponentAlias<'a>) -> Counted {
        match alias {
            ComponentAlias::InstanceExport {
                kind,
                instance_index,
                name,
            } => {
                let instance = self.scope()?.get(Kind::Instance, *instance_index)?;
                let exports = instance.instance.and_then(|at| self.instances.get(at));
                let found = exports.and_then(|exports| exports.by_name.get(name));
                let (found, item) = *found.ok_or(Stop::Lost)?;
                if found != *kind {
                    return Err(Stop::Lost);
                }
                self.mention(item.size)?;
                self.scope()?.space(*kind)?.push(item);
            }
            // Core items have no size of their own, and nothing here asks for them again.
            ComponentAlias::CoreInstanceExport { name, .. } => self.mention(name_size(name))?,
            ComponentAlias::Outer { kind, count, index } => {
                let inner = self.scopes.len().checked_sub(1).ok_or(Stop::Lost)?;
                let outer = inner.checked_sub(*count as usize).ok_or(Stop::Lost)?;
                let scope = self.scopes.get_mut(outer).ok_or(Stop::Lost)?;
                let item = match kind {
                    Outer::CoreModule => at(&scope.modules, *index)?,
                    Outer::CoreType => at(&scope.core_types, *index)?,
                    Outer::Type => at(&scope.types, *index)?,
                    Outer::Component => at(&scope.components, *index)?,
                };
                self.mention(item.size)?;
                if matches!(kind, Outer::CoreModule | Outer::Component) {
                    for scope in &mut self.scopes[outer + 1..] {
                        scope.closure = scope.closure.saturating_add(item.size);
                    }
                }
                let scope = self.scope()?;
                match kind {
                    Outer::CoreModule => scope.modules.push(item),
                    Outer::CoreType => scope.core_types.push(item),
                    Outer::Type => scope.types.push(item),
                    Outer::Component => scope.components.push(item),
                }
            }
        }
        Ok(())
    }

    fn instance(&mut self, instance: &ComponentInstance<'a>) -> Counted<Item> {
        match instance {
            ComponentInstance::Instantiate {
                component_index,
                args,
            } => {
                let component = self.scope()?.get(Kind::Component, *component_index)?;
                let mut mentioned = component;
                for arg in args {
                    let item = self.scope()?.get(arg.kind, arg.index)?;
                    mentioned.add(item.named(arg.name));
                }
                // Which component that is would have to be followed; nothing that makes components makes such.
                let Some(cost) = component.cost.and_then(|at| self.costs.get(at)).copied() else {
                    limit("instances of components that are handed in", 1, 0)?;
                    return Err(Stop::Lost);
                };
                self.mention_with_resources(mentioned)?;
                let scope = self.scope()?;
                scope.cost.add(&cost);
                scope.cost.instances = scope.cost.instances.saturating_add(1);
                scope.cost.check()?;
                let at = component.instance.ok_or(Stop::Lost)?;
                let exports = self.instances.get(at).ok_or(Stop::Lost)?;
                let mut item = exports.all;
                item.size = item.size.saturating_add(1);
                item.instance = Some(at);
                Ok(item)
            }
            ComponentInstance::FromExports(exports) => {
                let mut made = Exports::default();
                for export in exports {
                    let item = self.exported(export)?;
                    made.add(export.name.name, export.kind, item);
                }
                let mut item = made.all;
                item.size = item.size.saturating_add(1);
                item.instance = Some(self.instances.len());
                self.instances.push(made);
                Ok(item)
            }
        }
    }

    fn core_instance(&mut self, instance: &Instance<'a>) -> Counted {
        let mut item = Item::of(1);
        match instance {
            Instance::Instantiate { module_index, args } => {
                item.add(self.scope()?.get(Kind::Module, *module_index)?);
                for arg in args {
                    item.size += name_size(arg.name);
                }
            }
            Instance::FromExports(exports) => {
                for export in exports {
                    item.size += name_size(export.name);
                }
            }
        }
        self.mention(item.size)?;
        self.scope()?.core_instances.push(item);
        Ok(())
    }

    fn canonical(&mut self, canonical: &CanonicalFunction) -> Counted {
        let mut cost = Cost {
            mentioned: 1,
            glue: 1,
            ..Cost::default()
        };
        match canonical {
            CanonicalFunction::Lift { type_index, .. } => {
                let function = at(&self.scope()?.types, *type_index)?;
                cost.mentioned += function.size;
                self.spend(cost)?;
                self.scope()?.functions.push(function);
                return Ok(());
            }
            CanonicalFunction::Lower { func_index, .. } => {
                let function = self.scope()?.get(Kind::Func, *func_index)?;
                cost.mentioned = cost.mentioned.saturating_add(function.size);
                cost.lowered = function.code;
            }
            _ => {}
        }
        self.spend(cost)
    }
}

/// The types of a group, of which large ones count more.
fn signatures(group: &RecGroup) -> u64 {
    let signatures = group.types().map(|one| match &one.composite_type.inner {
        CompositeInnerType::Func(one) => 1 + (one.params().len() + one.results().len()) as u64 / 16,
        _ => 1,
    });
    signatures.sum()
}

fn of_primitive(primitive: PrimitiveValType) -> Item {
    Item::value(match primitive {
        PrimitiveValType::String => STRING,
        PrimitiveValType::Char => CHAR,
        PrimitiveValType::ErrorContext => HANDLE,
        _ => 1,
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    /// What is counted of a component, or what is too much.
    fn counted(text: &str) -> Result<Cost, String> {
        let bytes = wat::parse_str(text).unwrap();
        let mut assembly = Assembly::default();
        for payload in Parser::new(0).parse_all(&bytes) {
            match assembly.payload(&bytes, &payload.unwrap()) {
                Ok(()) => {}
                Err(Stop::Lost) => return Err("lost".to_owned()),
                Err(Stop::TooMuch(refused)) => return Err(refused.to_string()),
            }
        }
        Ok(*assembly.costs.last().unwrap())
    }

    #[track_caller]
    fn assert_too_much(text: &str, what: &str) {
        let refused = counted(text).err().unwrap_or_default();
        assert!(refused.contains(what), "{refused}");
    }

    /// `count` inner components, each with two instances of the one before.
    fn doubling(count: usize) -> String {
        let mut text = "(component (component $c0 (type $t (resource (rep i32)))
            (core func (canon resource.drop $t)))"
            .to_owned();
        for n in 1..count {
            let before = n - 1;
            text += &format!(
                "(component $c{n} (alias outer 1 $c{before} (component $x))
                    (instance (instantiate $x)) (instance (instantiate $x)))"
            );
        }
        format!("{text}(instance (instantiate $c{})))", count - 1)
    }

    #[test]
    fn instances_are_unfolded() {
        let cost = counted(&doubling(5)).unwrap();
        assert_eq!((cost.instances, cost.glue, cost.resources), (31, 16, 16));
        assert_too_much(&doubling(20), "counted for each inner instance");
        assert_too_much(&doubling(200), "counted for each inner instance");
    }

    #[test]
    fn types_cost_wherever_they_are_mentioned() {
        let sharing = |levels: usize, imports: usize| {
            let mut text = "(component (type $t0 (tuple u8 u8))".to_owned();
            for n in 1..levels {
                let before = n - 1;
                text += &format!("(type $t{n} (tuple $t{before} $t{before}))");
            }
            text += &format!("(type $f (func (param \"a\" $t{})))", levels - 1);
            for n in 0..imports {
                text += &format!("(import \"f{n}\" (func (type $f)))");
            }
            text + ")"
        };
        let (few, many) = (sharing(5, 1), sharing(5, 10));
        let (few, many) = (counted(&few).unwrap(), counted(&many).unwrap());
        assert_eq!(many.mentioned, 10 * few.mentioned);
        assert!(few.mentioned > 1 << 5, "{few:?}");
        assert_too_much(&sharing(60, 1), "wherever they are mentioned");
        assert_too_much(&sharing(10, 10_000), "wherever they are mentioned");
    }

    #[test]
    fn instances_that_share_what_they_export_cost_as_if_they_did_not() {
        let mut text = "(component (instance $i0)".to_owned();
        for n in 1..40 {
            let before = n - 1;
            text += &format!(
                "(instance $i{n} (export \"a\" (instance $i{before})) (export \"b\" (instance $i{before})))"
            );
        }
        assert_too_much(&(text + ")"), "wherever they are mentioned");
    }

    #[test]
    fn lowered_functions_cost_what_they_hand_over() {
        let lowered = |params: &str| {
            counted(&format!(
                "(component
                    (type $t (func {params}))
                    (import \"f\" (func $f (type $t)))
                    (core module $m (memory (export \"m\") 1)
                        (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable))
                    (core instance $i (instantiate $m))
                    (core func (canon lower (func $f)
                        (memory (core memory $i \"m\")) (realloc (core func $i \"r\")))))"
            ))
            .unwrap()
            .lowered
        };
        assert_eq!(lowered(""), ADAPTER);
        assert_eq!(lowered("(param \"a\" u8)"), ADAPTER + 1);
        assert_eq!(lowered("(param \"a\" string)"), ADAPTER + STRING);
        let lists = lowered("(param \"a\" (list (tuple u8 string)))");
        assert_eq!(lists, ADAPTER + LIST + 2 + STRING);
    }

    #[test]
    fn instances_of_core_modules_cost_what_they_import() {
        let text = |count: usize| {
            format!(
                "(component (core module $m {}) (core module $n {}) (core instance $i (instantiate $n)) {})",
                (0..400)
                    .map(|n| format!("(import \"n\" \"f{n}\" (func))"))
                    .collect::<String>(),
                (0..400)
                    .map(|n| format!("(func (export \"f{n}\"))"))
                    .collect::<String>(),
                "(core instance (instantiate $m (with \"n\" (instance $i))))".repeat(count)
            )
        };
        let (one, ten) = (counted(&text(1)).unwrap(), counted(&text(10)).unwrap());
        assert!(ten.mentioned - one.mentioned > 9 * 400, "{ten:?}");
        assert_too_much(&text(2000), "wherever they are mentioned");
    }

    #[test]
    fn a_component_that_is_handed_in_has_no_instances() {
        assert_too_much(
            "(component (component $inner
                (import \"c\" (component $c))
                (instance (instantiate $c))))",
            "at most 0 instances of components that are handed in",
        );
    }

    #[test]
    fn tables_elements_and_signatures_are_counted() {
        let module = |content: &str| format!("(component (core module {content}))");
        assert_too_much(
            &module(&"(table 1000000 funcref)".repeat(20)),
            "wherever they are mentioned",
        );
        let elements = "(ref.func 0) ".repeat(200_000);
        assert_too_much(
            &module(&format!("(func) (elem funcref {elements})")),
            "how modules start",
        );
        assert_too_much(&module(&"(data \"\")".repeat(70_000)), "how modules start");
        let wide = format!("(type (func (param {})))", "i64 ".repeat(1000));
        assert_too_much(&module(&wide.repeat(1000)), "signatures");
    }

    /// `depth` instance types in each other. The parser would go into them as deep as they are.
    fn nested(depth: usize) -> Vec<u8> {
        let mut section = wasm_encoder::RawSection { id: 7, data: &[] };
        let types = [&[1][..], &[0x42, 1, 1].repeat(depth), &[0x42, 0]].concat();
        section.data = &types;
        let mut component = wasm_encoder::Component::new();
        component.section(&section);
        component.finish()
    }

    #[test]
    fn types_in_each_other_take_no_stack() {
        assert!(check(&nested(50)).is_ok());
        let refused = check(&nested(200_000)).err().unwrap().to_string();
        assert!(refused.contains("in each other"), "{refused}");
    }

    #[test]
    fn what_is_not_there_ends_the_count_where_it_is_mentioned() {
        let mut component = wasm_encoder::Component::new();
        let mut aliases = wasm_encoder::ComponentAliasSection::new();
        aliases.alias(wasm_encoder::Alias::InstanceExport {
            instance: 7,
            kind: wasm_encoder::ComponentExportKind::Type,
            name: "x",
        });
        component.section(&aliases);
        assert!(check(&component.finish()).unwrap().is_some());
    }
}
