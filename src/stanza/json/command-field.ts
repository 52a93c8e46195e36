import { dataFormField, formDataField } from './data-forms.ts';
import { attribute, elementText, type Field, type FieldTable, flagChild, objectChild } from './fields.ts';

const COMMANDS = 'http://jabber.org/protocol/commands';

const actions: FieldTable = {
  execute: attribute('execute'),
  prev: flagChild('prev'),
  next: flagChild('next'),
  complete: flagChild('complete'),
};

/** XEP-0050. `data` is the short form of a submitted `form`. A plain text is the node of the command. */
export const commandField: Field = objectChild(
  'command',
  COMMANDS,
  {
    node: attribute('node'),
    action: attribute('action'),
    sessionid: attribute('sessionid'),
    status: attribute('status'),
    actions: objectChild('actions', undefined, actions),
    note: objectChild('note', undefined, { type: attribute('type'), text: elementText() }),
    form: dataFormField,
    data: formDataField,
  },
  'node',
);
