import xml, { type Element } from '@xmpp/xml';
import { DATA_FORM } from './namespaces.ts';
import { toXmlText } from './xml-text.ts';

/** One field of a data form (XEP-0004 §3.2). */
export interface FormField {
  /** Absent for `fixed` texts. */
  readonly name?: string;
  /** May be absent in forms that only programs read. */
  readonly type?: 'boolean' | 'fixed' | 'hidden' | 'jid-single' | 'list-multi' | 'text-multi' | 'text-single';
  readonly label?: string;
  /** An explanation that clients show beside the field. */
  readonly description?: string;
  readonly values?: readonly string[];
  /** Choices of a list: the label is shown, the value is sent back. */
  readonly options?: readonly FormOption[];
  readonly required?: boolean;
}

export interface FormOption {
  readonly label: string;
  readonly value: string;
}

export interface FormText {
  readonly title?: string;
  readonly instructions?: string;
}

/** Creates a form to fill in (`form`) or to read (`result`). */
export function createForm(
  type: 'form' | 'result',
  fields: readonly FormField[],
  text: FormText = {},
): Element {
  return xml('x', { xmlns: DATA_FORM, type }, ...formText(text), ...fields.map(fieldElement));
}

/** Creates a service discovery extension form (XEP-0128). Its first field is the hidden `FORM_TYPE`. */
export function createInfoForm(formType: string, fields: readonly FormField[]): Element {
  return createForm('result', [{ name: 'FORM_TYPE', type: 'hidden', values: [formType] }, ...fields]);
}

export interface FormColumn {
  readonly name: string;
  readonly label: string;
}

/** Creates a table (XEP-0004 §3.4): each row has a value for each column. */
export function createFormTable(
  columns: readonly FormColumn[],
  rows: readonly Readonly<Record<string, string>>[],
  text: FormText = {},
): Element {
  return xml(
    'x',
    { xmlns: DATA_FORM, type: 'result' },
    ...formText(text),
    xml(
      'reported',
      {},
      ...columns.map(({ name, label }) => xml('field', { var: name, label, type: 'text-single' })),
    ),
    ...rows.map((row) =>
      xml(
        'item',
        {},
        ...columns.map(({ name }) => xml('field', { var: name }, valueElement(row[name] ?? ''))),
      ),
    ),
  );
}

function formText({ title, instructions }: FormText): Element[] {
  return [
    ...(title === undefined ? [] : [xml('title', {}, toXmlText(title))]),
    ...(instructions === undefined ? [] : [xml('instructions', {}, toXmlText(instructions))]),
  ];
}

function fieldElement({
  name,
  type,
  label,
  description,
  values = [],
  options = [],
  required,
}: FormField): Element {
  const attributes = {
    ...(name !== undefined && { var: name }),
    ...(type !== undefined && { type }),
    ...(label !== undefined && { label }),
  };
  return xml(
    'field',
    attributes,
    ...(description === undefined ? [] : [xml('desc', {}, toXmlText(description))]),
    ...(required ? [xml('required')] : []),
    ...values.map(valueElement),
    ...options.map((option) => xml('option', { label: toXmlText(option.label) }, valueElement(option.value))),
  );
}

function valueElement(text: string): Element {
  return xml('value', {}, toXmlText(text));
}

/** The values of a submitted form by the names of its fields. */
export type FormAnswers = ReadonlyMap<string, readonly string[]>;

/** Reads a submitted form. Leaves out fields without a name. Returns undefined if the type of the form is not `submit`. */
export function readSubmittedForm(form: Element): FormAnswers | undefined {
  if (form.attrs.type !== 'submit') return undefined;
  return new Map(
    form.getChildren('field').flatMap((field) => {
      const { var: name } = field.attrs;
      const values = field.getChildren('value').map((value) => value.getText());
      return name === undefined ? [] : [[name, values] as const];
    }),
  );
}
