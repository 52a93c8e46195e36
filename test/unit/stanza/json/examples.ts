import type { JsonObject } from '../../../../src/base/json.ts';

/** A key, its JSON value, and its XML inside a stanza, as in the XEP. */
export interface Example {
  readonly title: string;
  readonly json: JsonObject;
  readonly xml: string;
  /** Set if the mapping is not symmetric: further keys that reading the XML returns. */
  readonly alsoRead?: JsonObject;
}

export const common: readonly Example[] = [
  {
    title: 'delay (XEP-0203)',
    json: { delay: '2002-09-10T23:08:25Z' },
    xml: "<delay xmlns='urn:xmpp:delay' stamp='2002-09-10T23:08:25Z'/>",
  },
  {
    title: 'nick (XEP-0172)',
    json: { nick: 'CallMeIshmael' },
    xml: "<nick xmlns='http://jabber.org/protocol/nick'>CallMeIshmael</nick>",
  },
  {
    title: 'payload (XEP-0432)',
    json: { payload: { datatype: 'urn:example:x', data: { a: [1, null, 'ü<&>', true] } } },
    xml: "<payload xmlns='urn:xmpp:json-msg:0' datatype='urn:example:x'><json xmlns='urn:xmpp:json:0'>{\"a\":[1,null,\"ü&lt;&amp;>\",true]}</json></payload>",
  },
  {
    title: 'rsm, a request (XEP-0059)',
    json: { rsm: { before: '', index: 371, max: 10 } },
    xml: "<set xmlns='http://jabber.org/protocol/rsm'><before/><index>371</index><max>10</max></set>",
  },
  {
    title: 'rsm, an answer (XEP-0059)',
    json: { rsm: { count: 800, first: 'stpeter', index: 0, last: 'peterpan' } },
    xml: "<set xmlns='http://jabber.org/protocol/rsm'><count>800</count><first index='0'>stpeter</first><last>peterpan</last></set>",
  },
  {
    title: 'dataform (XEP-0004)',
    json: {
      dataform: {
        type: 'form',
        title: 'Bot',
        instructions: 'Fill in',
        fields: [
          { var: 'FORM_TYPE', type: 'hidden', value: 'jabber:bot' },
          { type: 'fixed', value: 'Section 1' },
          { var: 'name', type: 'text-single', label: 'The name', desc: 'Of the bot', required: true },
          { var: 'about', type: 'text-multi', value: 'one\ntwo' },
          {
            var: 'features',
            type: 'list-multi',
            value: ['news', 'search'],
            options: [{ label: 'News', value: 'news' }, { value: 'search' }],
          },
          { var: 'who', type: 'jid-multi', value: ['a@x', 'b@x'] },
        ],
      },
    },
    xml: `<x xmlns='jabber:x:data' type='form'><title>Bot</title><instructions>Fill in</instructions>
      <field var='FORM_TYPE' type='hidden'><value>jabber:bot</value></field>
      <field type='fixed'><value>Section 1</value></field>
      <field var='name' type='text-single' label='The name'><desc>Of the bot</desc><required/></field>
      <field var='about' type='text-multi'><value>one</value><value>two</value></field>
      <field var='features' type='list-multi'><value>news</value><value>search</value>
        <option label='News'><value>news</value></option><option><value>search</value></option></field>
      <field var='who' type='jid-multi'><value>a@x</value><value>b@x</value></field></x>`,
  },
];

const FORWARDED = `<delay xmlns='urn:xmpp:delay' stamp='2010-07-10T23:08:25Z'/><message xmlns='jabber:client'
  type='chat' to='juliet@capulet.lit' from='romeo@montague.lit/orchard' id='1'><body>hi</body></message>`;
const FORWARDED_JSON = {
  delay: '2010-07-10T23:08:25Z',
  message: {
    type: 'chat',
    to: 'juliet@capulet.lit',
    from: 'romeo@montague.lit/orchard',
    id: '1',
    body: 'hi',
  },
};

export const message: readonly Example[] = [
  { title: 'body', json: { body: 'a < b & "c"\nд 😀' }, xml: '<body>a &lt; b &amp; "c"\nд 😀</body>' },
  { title: 'subject', json: { subject: 'Talking' }, xml: '<subject>Talking</subject>' },
  { title: 'an empty subject', json: { subject: '' }, xml: '<subject/>' },
  {
    title: 'thread (XEP-0201)',
    json: { thread: { id: 't2', parent: 't1' } },
    xml: "<thread parent='t1'>t2</thread>",
  },
  ...['active', 'inactive', 'gone', 'composing', 'paused'].map((state) => ({
    title: `state ${state} (XEP-0085)`,
    json: { state },
    xml: `<${state} xmlns='http://jabber.org/protocol/chatstates'/>`,
  })),
  {
    title: 'html (XEP-0071)',
    json: { html: '<body><p style="a:b">h<em>i</em> &amp; ho<br/></p></body>' },
    xml: "<html xmlns='http://jabber.org/protocol/xhtml-im'><body xmlns='http://www.w3.org/1999/xhtml'><p style='a:b'>h<em>i</em> &amp; ho<br/></p></body></html>",
  },
  {
    title: 'oob (XEP-0066)',
    json: { oob: { url: 'https://x.example/a?b&c', desc: 'A picture' } },
    xml: "<x xmlns='jabber:x:oob'><url>https://x.example/a?b&amp;c</url><desc>A picture</desc></x>",
    alsoRead: { oob_url: 'https://x.example/a?b&c' },
  },
  {
    title: 'oob_url',
    json: { oob_url: 'https://x.example/a' },
    xml: "<x xmlns='jabber:x:oob'><url>https://x.example/a</url></x>",
    alsoRead: { oob: { url: 'https://x.example/a' } },
  },
  {
    title: 'replace (XEP-0308)',
    json: { replace: 'bad1' },
    xml: "<replace xmlns='urn:xmpp:message-correct:0' id='bad1'/>",
  },
  {
    title: 'reply (XEP-0461)',
    json: { reply: { id: 'm1', to: 'anna@example.com/tablet' } },
    xml: "<reply xmlns='urn:xmpp:reply:0' id='m1' to='anna@example.com/tablet'/>",
  },
  {
    title: 'reactions (XEP-0444)',
    json: { reactions: { id: 'm1', reactions: ['👋', '🐢'] } },
    xml: "<reactions xmlns='urn:xmpp:reactions:0' id='m1'><reaction>👋</reaction><reaction>🐢</reaction></reactions>",
  },
  {
    title: 'markable (XEP-0333)',
    json: { markable: true },
    xml: "<markable xmlns='urn:xmpp:chat-markers:0'/>",
  },
  {
    title: 'displayed (XEP-0333)',
    json: { displayed: 'm1' },
    xml: "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>",
  },
  {
    title: 'attach_to (XEP-0367)',
    json: { attach_to: 'm1' },
    xml: "<attach-to xmlns='urn:xmpp:message-attaching:1' id='m1'/>",
  },
  {
    title: 'encryption (XEP-0380)',
    json: { encryption: 'urn:xmpp:otr:0' },
    xml: "<encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:otr:0'/>",
  },
  {
    title: 'fallback (XEP-0428)',
    json: { fallback: true },
    xml: "<fallback xmlns='urn:xmpp:fallback:0'/>",
  },
  {
    title: 'forwarded (XEP-0297)',
    json: { forwarded: FORWARDED_JSON },
    xml: `<forwarded xmlns='urn:xmpp:forward:0'>${FORWARDED}</forwarded>`,
  },
  {
    title: 'invite (XEP-0249)',
    json: {
      invite: { jid: 'room@x', reason: 'Come', password: 'pw', thread: 't', continue: true },
    },
    xml: "<x xmlns='jabber:x:conference' jid='room@x' reason='Come' password='pw' thread='t' continue='true'/>",
  },
  {
    title: 'occupant_id (XEP-0421)',
    json: { occupant_id: 'dd72' },
    xml: "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='dd72'/>",
  },
  {
    title: 'stanza_ids (XEP-0359)',
    json: {
      stanza_ids: [
        { id: '5f', by: 'room@x' },
        { id: 'de', by: 'me@x' },
      ],
    },
    xml: "<stanza-id xmlns='urn:xmpp:sid:0' id='5f' by='room@x'/><stanza-id xmlns='urn:xmpp:sid:0' id='de' by='me@x'/>",
  },
  {
    title: 'reference (XEP-0372)',
    json: { reference: { type: 'mention', uri: 'xmpp:juliet@capulet.lit', begin: 72, end: 78 } },
    xml: "<reference xmlns='urn:xmpp:reference:0' type='mention' uri='xmpp:juliet@capulet.lit' begin='72' end='78'/>",
  },
  {
    title: 'archive, a result (XEP-0313)',
    json: { archive: { id: '28482', queryid: 'f27', forward: FORWARDED_JSON } },
    xml: `<result xmlns='urn:xmpp:mam:2' queryid='f27' id='28482'><forwarded xmlns='urn:xmpp:forward:0'>${FORWARDED}</forwarded></result>`,
  },
];

export const presence: readonly Example[] = [
  { title: 'show', json: { show: 'dnd' }, xml: '<show>dnd</show>' },
  { title: 'status', json: { status: 'Wooing Juliet' }, xml: '<status>Wooing Juliet</status>' },
  { title: 'priority', json: { priority: -1 }, xml: '<priority>-1</priority>' },
  {
    title: 'caps (XEP-0115)',
    json: { caps: { hash: 'sha-1', node: 'http://x', ver: 'Qg=', ext: 'a' } },
    xml: "<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://x' ver='Qg=' ext='a'/>",
  },
  {
    title: 'idle_since (XEP-0319)',
    json: { idle_since: '1969-07-21T02:56:15Z' },
    xml: "<idle xmlns='urn:xmpp:idle:1' since='1969-07-21T02:56:15Z'/>",
  },
  {
    title: 'muc (XEP-0045)',
    json: {
      muc: {
        history: { maxchars: 0, maxstanzas: 20, seconds: 180, since: '1970-01-01T00:00:00Z' },
        password: 'cauldronburn',
      },
    },
    xml: "<x xmlns='http://jabber.org/protocol/muc'><history maxchars='0' maxstanzas='20' seconds='180' since='1970-01-01T00:00:00Z'/><password>cauldronburn</password></x>",
  },
  {
    title: 'vcard_update (XEP-0153)',
    json: { vcard_update: { photo: '01b87f' } },
    xml: "<x xmlns='vcard-temp:x:update'><photo>01b87f</photo></x>",
  },
];

export const iq: readonly Example[] = [
  { title: 'ping (XEP-0199)', json: { ping: true }, xml: "<ping xmlns='urn:xmpp:ping'/>" },
  {
    title: 'version (XEP-0092)',
    json: { version: { name: 'Exodus', version: '0.7', os: 'Linux' } },
    xml: "<query xmlns='jabber:iq:version'><name>Exodus</name><version>0.7</version><os>Linux</os></query>",
  },
  {
    title: 'disco, a question (XEP-0030)',
    json: { disco: true },
    xml: "<query xmlns='http://jabber.org/protocol/disco#info'/>",
  },
  {
    title: 'disco, a question about a node',
    json: { disco: 'a#b' },
    xml: "<query xmlns='http://jabber.org/protocol/disco#info' node='a#b'/>",
  },
  {
    title: 'disco, an answer with forms (XEP-0128)',
    json: {
      disco: {
        node: 'n',
        identities: [{ category: 'client', type: 'pc', name: 'Ψ' }],
        features: ['urn:xmpp:ping', 'jabber:iq:version'],
        extensions: {
          'urn:xmpp:dataforms:softwareinfo': { os: 'Mac', ips: ['4', '6'], beta: false, no: null },
        },
      },
    },
    xml: `<query xmlns='http://jabber.org/protocol/disco#info' node='n'>
      <identity category='client' type='pc' name='Ψ'/><feature var='urn:xmpp:ping'/><feature var='jabber:iq:version'/>
      <x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>
      <field var='os' type='text-single'><value>Mac</value></field><field var='ips' type='list-multi'><value>4</value><value>6</value></field>
      <field var='beta' type='boolean'><value>0</value></field><field var='no' type='text-single'/></x></query>`,
  },
  {
    title: 'items, a question (XEP-0030)',
    json: { items: true },
    xml: "<query xmlns='http://jabber.org/protocol/disco#items'/>",
  },
  {
    title: 'items, a question about a node',
    json: { items: 'music' },
    xml: "<query xmlns='http://jabber.org/protocol/disco#items' node='music'/>",
  },
  {
    title: 'items, an answer',
    json: { items: [{ jid: 'people.x' }, { jid: 'x', node: 'music', name: 'Music' }] },
    xml: "<query xmlns='http://jabber.org/protocol/disco#items'><item jid='people.x'/><item jid='x' node='music' name='Music'/></query>",
  },
  {
    title: 'command (XEP-0050)',
    json: {
      command: {
        node: 'config',
        sessionid: 's1',
        status: 'executing',
        actions: { execute: 'next', prev: true, next: true, complete: true },
        note: { type: 'info', text: 'Go on' },
        form: { type: 'form', fields: [{ var: 'a', type: 'boolean', value: '1' }] },
      },
    },
    xml: `<command xmlns='http://jabber.org/protocol/commands' node='config' sessionid='s1' status='executing'>
      <actions execute='next'><prev/><next/><complete/></actions><note type='info'>Go on</note>
      <x xmlns='jabber:x:data' type='form'><field var='a' type='boolean'><value>1</value></field></x></command>`,
  },
  {
    title: 'extdisco (XEP-0215)',
    json: {
      extdisco: {
        type: 'stun',
        services: [
          {
            type: 'turn',
            host: 'turn.x',
            port: 9998,
            transport: 'udp',
            name: 'Relay',
            username: 'u',
            password: 'p',
            expires: '2020-04-08T12:00:00Z',
            restricted: true,
          },
        ],
      },
    },
    xml: "<services xmlns='urn:xmpp:extdisco:2' type='stun'><service type='turn' host='turn.x' port='9998' transport='udp' name='Relay' username='u' password='p' expires='2020-04-08T12:00:00Z' restricted='true'/></services>",
  },
  {
    title: 'lastactivity (XEP-0012)',
    json: { lastactivity: { seconds: 903, status: 'Heading Home' } },
    xml: "<query xmlns='jabber:iq:last' seconds='903'>Heading Home</query>",
  },
  {
    title: 'oob (XEP-0066)',
    json: { oob: { url: 'https://x/y', desc: 'z' } },
    xml: "<query xmlns='jabber:iq:oob'><url>https://x/y</url><desc>z</desc></query>",
  },
  {
    title: 'gateway (XEP-0100)',
    json: { gateway: { desc: 'Please', jid: 'a@x', prompt: 'Name' } },
    xml: "<query xmlns='jabber:iq:gateway'><desc>Please</desc><jid>a@x</jid><prompt>Name</prompt></query>",
  },
  {
    title: 'register (XEP-0077)',
    json: { register: { username: 'bill', password: 'Calliope', registered: true } },
    xml: "<query xmlns='jabber:iq:register'><password>Calliope</password><username>bill</username><registered/></query>",
  },
  {
    title: 'stats (XEP-0039)',
    json: { stats: [{ name: 'time/uptime', unit: 'seconds', value: 3054635.5 }, { name: 'users/online' }] },
    xml: "<query xmlns='http://jabber.org/protocol/stats'><stat name='time/uptime' unit='seconds' value='3054635.5'/><stat name='users/online'/></query>",
  },
  {
    title: 'upload_request (XEP-0363)',
    json: { upload_request: { filename: 'très cool.jpg', size: 23456, 'content-type': 'image/jpeg' } },
    xml: "<request xmlns='urn:xmpp:http:upload:0' filename='très cool.jpg' size='23456' content-type='image/jpeg'/>",
  },
  {
    title: 'upload_slot (XEP-0363)',
    json: {
      upload_slot: {
        get: { url: 'https://x/g' },
        put: { url: 'https://x/p', headers: [{ name: 'Authorization', value: 'Basic Q=' }] },
      },
    },
    xml: "<slot xmlns='urn:xmpp:http:upload:0'><get url='https://x/g'/><put url='https://x/p'><header name='Authorization'>Basic Q=</header></put></slot>",
  },
  {
    title: 'archive, a question (XEP-0313)',
    json: {
      archive: {
        queryid: 'f27',
        form: {
          type: 'submit',
          fields: [
            { var: 'FORM_TYPE', type: 'hidden', values: ['urn:xmpp:mam:2'] },
            { var: 'with', values: ['juliet@capulet.lit'] },
          ],
        },
        page: { before: '', max: 10 },
      },
    },
    xml: `<query xmlns='urn:xmpp:mam:2' queryid='f27'><x xmlns='jabber:x:data' type='submit'>
      <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:mam:2</value></field>
      <field var='with'><value>juliet@capulet.lit</value></field></x>
      <set xmlns='http://jabber.org/protocol/rsm'><before/><max>10</max></set></query>`,
  },
  {
    title: 'result (XEP-0313)',
    json: { result: { page: { count: 20, first: '28482', last: '09af3' } } },
    xml: "<fin xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><count>20</count><first>28482</first><last>09af3</last></set></fin>",
  },
];
