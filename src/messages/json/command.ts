import { attribute, type Field, type Fields, flag, object, ownText } from './fields.ts';
import { dataform, formdata } from './forms.ts';

const COMMANDS = 'http://jabber.org/protocol/commands';

const actions: Fields = {
  execute: attribute('execute'),
  prev: flag('prev'),
  next: flag('next'),
  complete: flag('complete'),
};

/** XEP-0050. `data` answers a form in short, a plain text is the node of the command. */
export const command: Field = object(
  'command',
  COMMANDS,
  {
    node: attribute('node'),
    action: attribute('action'),
    sessionid: attribute('sessionid'),
    status: attribute('status'),
    actions: object('actions', undefined, actions),
    note: object('note', undefined, { type: attribute('type'), text: ownText() }),
    form: dataform,
    data: formdata,
  },
  'node',
);
