"""An XMPP client for tests: reads one JSON command per line and answers each with one JSON line.

Arguments: JID, password, port. Prints {"online": JID} after login. Connects to 127.0.0.1 without DNS.
"""
import asyncio
import json
import logging
import ssl
import sys

from slixmpp import ClientXMPP
from slixmpp.exceptions import IqError, IqTimeout
from slixmpp.xmlstream import ET, tostring

NS_UPLOAD = "urn:xmpp:http:upload:0"
NS_FORM = "jabber:x:data"
NS_SHARING = "urn:xmpp:sfs:0"
NS_FILE = "urn:xmpp:file:metadata:0"
NS_URL_DATA = "http://jabber.org/protocol/url-data"


class Client(ClientXMPP):
    def __init__(self, jid, password):
        super().__init__(jid, password)
        for plugin in ("xep_0004", "xep_0030", "xep_0045", "xep_0050", "xep_0054", "xep_0066", "xep_0092", "xep_0128", "xep_0199", "xep_0363"):
            self.register_plugin(plugin)
        self.messages = asyncio.Queue()
        self.tasks = set()
        self.add_event_handler("session_start", self.on_session_start)
        self.add_event_handler("failed_auth", lambda _: print_line({"error": "failed_auth"}))
        self.add_event_handler("message", self.on_message)

    def on_message(self, message):
        if message["type"] in ("chat", "normal") or (message["type"] == "groupchat" and message["body"]):
            self.messages.put_nowait(message)

    async def on_session_start(self, _event):
        self.send_presence()
        await self.get_roster()
        print_line({"online": self.boundjid.full})
        self.start_task(self.read_commands())

    def start_task(self, work):
        """Keeps a reference to the task: the event loop alone does not prevent its garbage collection."""
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def read_commands(self):
        reader = asyncio.StreamReader(limit=2**20)
        await self.loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            command = json.loads(line)
            self.start_task(self.answer(command))
        self.disconnect()

    async def answer(self, command):
        verb = getattr(self, "do_" + command.pop("do"))
        tag = command.pop("tag", None)
        try:
            result = await verb(**command)
        except IqError as error:
            result = {"error": describe_error(error.iq)}
        except IqTimeout:
            result = {"error": {"condition": "timeout"}}
        except Exception as error:
            result = {"failure": f"{type(error).__name__}: {error}"}
        print_line({"tag": tag, **result})

    async def do_discover(self):
        """Finds the upload service of the domain by the rules of slixmpp."""
        # The loop of slixmpp passes coroutines to asyncio.wait, which Python 3.11 does not accept.
        items = await self["xep_0030"].get_items(jid=self.boundjid.domain)
        for jid, _node, _name in items["disco_items"]["items"]:
            info = await self["xep_0030"].get_info(jid=jid)
            identities = [list(i)[:2] for i in info["disco_info"]["identities"]]
            if ["store", "file"] in identities:
                return {"jid": str(info["from"]), **read_info(info)}
        return {"jid": None}

    async def do_info(self, jid, node=None):
        info = await self["xep_0030"].get_info(jid=jid, node=node, cached=False)
        return {"jid": str(info["from"]), **read_info(info)}

    async def do_items(self, jid):
        items = await self["xep_0030"].get_items(jid=jid)
        return {"items": sorted(str(item[0]) for item in items["disco_items"]["items"])}

    async def do_commands(self, jid):
        """Lists the nodes of the ad-hoc commands."""
        items = await self["xep_0050"].get_commands(jid)
        return {"nodes": [item[1] for item in sorted(items["disco_items"]["items"], key=str)]}

    async def do_command(self, jid, node, session=None, action="execute", values=None):
        """Runs one stage of an ad-hoc command with slixmpp's commands and data forms."""
        form = None
        if values is not None:
            form = self["xep_0004"].make_form(ftype="submit")
            for name, value in values.items():
                form.add_field(var=name, value=value, ftype="list-multi" if isinstance(value, list) else None)
        answer = await self["xep_0050"].send_command(jid, node, action=action, payload=form, sessionid=session)
        return read_command(answer["command"])

    async def do_slot(self, jid, name, size, type=None):
        iq = await self["xep_0363"].request_slot(jid, name, size, type)
        slot = iq["http_upload_slot"]
        return {"put": slot["put"]["url"], "get": slot["get"]["url"]}

    async def do_upload(self, jid, path, type=None):
        """Uploads a file with slixmpp: requests a slot, sends the PUT and returns the link."""
        plugin = self["xep_0363"]
        plugin.upload_service = jid
        return {"get": await plugin.upload_file(path, content_type=type)}

    async def do_ping(self, jid):
        return {"seconds": await self["xep_0199"].ping(jid, timeout=5)}

    async def do_version(self, jid):
        iq = await self["xep_0092"].get_version(jid)
        return {"name": iq["software_version"]["name"], "version": iq["software_version"]["version"]}

    async def do_vcard(self, jid):
        iq = await self["xep_0054"].get_vcard(jid)
        return {"name": iq["vcard_temp"]["FN"]}

    async def do_raw(self, jid, xml, type="get"):
        """Sends an iq with any payload and returns the answer as XML."""
        iq = self.make_iq(ito=jid, itype=type)
        iq.append(ET.fromstring(xml))
        answer = await iq.send()
        return {"xml": tostring(answer.xml)}

    async def do_send(self, to, body, url=None):
        message = self.make_message(mto=to, mbody=body, mtype="chat")
        if url:
            message["oob"]["url"] = url
        message.send()
        return {"sent": True}

    async def do_receive(self, seconds=300):
        message = await asyncio.wait_for(self.messages.get(), seconds)
        sender = message["from"]
        return {
            "from": sender.bare,
            "resource": sender.resource,
            "body": message["body"],
            "url": message["oob"]["url"],
            "files": read_files(message.xml),
        }

    async def do_collect(self, count):
        """Waits for `count` messages and returns sender and body of each, in order of arrival."""
        return {"messages": [brief(await self.messages.get()) for _ in range(count)]}

    async def do_drain(self):
        """Returns the messages received so far, without waiting."""
        return {"messages": [brief(self.messages.get_nowait()) for _ in range(self.messages.qsize())]}

    async def do_join(self, room, nick, history=0):
        """Joins a room; its messages are received from now on."""
        await self["xep_0045"].join_muc_wait(room, nick, maxstanzas=history, timeout=30)
        return {"joined": True}

    async def do_flood(self, jid, count, inflight):
        """Requests `count` slots with `inflight` requests at a time; returns the duration and the outcomes."""
        left = iter(range(count))
        outcomes = {}

        async def worker():
            for number in left:
                try:
                    await self["xep_0363"].request_slot(jid, f"{number}.jpg", 10_000, "image/jpeg")
                    outcome = "granted"
                except IqError as error:
                    outcome = error.condition
                outcomes[outcome] = outcomes.get(outcome, 0) + 1

        start = self.loop.time()
        await asyncio.gather(*(worker() for _ in range(inflight)))
        return {"seconds": self.loop.time() - start, "outcomes": outcomes}


def read_files(message):
    """Returns the shared files of a message (XEP-0447), each with its metadata (XEP-0446) by element name: text or attributes."""
    return [
        {
            "id": sharing.get("id"),
            "disposition": sharing.get("disposition"),
            **{child.tag.split("}")[1]: child.text or dict(child.attrib) for child in sharing.find(f"{{{NS_FILE}}}file")},
            "sources": [source.get("target") for source in sharing.iter(f"{{{NS_URL_DATA}}}url-data")],
        }
        for sharing in message.iter(f"{{{NS_SHARING}}}file-sharing")
    ]


def brief(message):
    return [message["from"].bare, message["body"]]


def read_info(info):
    xml = info["disco_info"].xml
    forms = []
    for form in xml.findall(f"{{{NS_FORM}}}x"):
        fields = form.findall(f"{{{NS_FORM}}}field")
        forms.append([[f.get("var"), f.findtext(f"{{{NS_FORM}}}value")] for f in fields])
    return {
        "identities": [[i[0], i[1], i[3]] for i in info["disco_info"]["identities"]],
        "features": sorted(info["disco_info"]["features"]),
        "forms": forms,
    }


def read_command(command):
    forms = [read_form(x) for x in command.xml.findall(f"{{{NS_FORM}}}x")]
    return {
        "status": command["status"],
        "session": command["sessionid"],
        "actions": sorted(command["actions"]),
        "notes": [text for _type, text in command["notes"]],
        "form": command["form"]["type"] if forms else None,
        "fields": [value for form in forms for value in form["fields"]],
        "options": [value for form in forms for value in form["options"]],
        "rows": [row for form in forms for row in form["rows"]],
    }


def read_form(x):
    def values(path):
        return [value.text for value in x.findall(path)]

    field = f"{{{NS_FORM}}}field"
    rows = [
        {f.get("var"): f.findtext(f"{{{NS_FORM}}}value") for f in item.findall(field)}
        for item in x.findall(f"{{{NS_FORM}}}item")
    ]
    return {
        "fields": values(f"{field}/{{{NS_FORM}}}value"),
        "options": values(f"{field}/{{{NS_FORM}}}option/{{{NS_FORM}}}value"),
        "rows": rows,
    }


def describe_error(iq):
    error = iq["error"]
    retry = error.xml.find(f"{{{NS_UPLOAD}}}retry")
    return {
        "type": error["type"],
        "condition": error["condition"],
        "text": error["text"],
        "maxFileSize": error.xml.findtext(f"{{{NS_UPLOAD}}}file-too-large/{{{NS_UPLOAD}}}max-file-size"),
        "retry": None if retry is None else retry.get("stamp"),
    }


def print_line(answer):
    print(json.dumps(answer), flush=True)


def main():
    jid, password, port = sys.argv[1:4]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    client = Client(jid, password)
    # The XMPP connection does not verify the test certificate; the file transfers do.
    client.ssl_context.check_hostname = False
    client.ssl_context.verify_mode = ssl.CERT_NONE
    client["feature_mechanisms"].unencrypted_plain = True
    client["feature_mechanisms"].unencrypted_scram = True
    encrypted = len(sys.argv) > 4 and sys.argv[4] == "tls"
    run(client, int(port), encrypted)


def run(client, port, encrypted):
    """Connects, and returns after the connection has ended. The methods for this changed with slixmpp 1.9."""
    if not hasattr(client, "enable_starttls"):
        client.connect(("127.0.0.1", port), force_starttls=encrypted, disable_starttls=not encrypted)
        client.process(forever=False)
        return
    client.enable_starttls = encrypted
    client.enable_direct_tls = False
    client.enable_plaintext = not encrypted
    disconnected = client.disconnected
    client.connect("127.0.0.1", port)
    client.loop.run_until_complete(disconnected)


main()
