/** One second of silence as a WAV file: 8 kHz, 8 bits, mono. */
export function wavSample(): Buffer {
  const samples = Buffer.alloc(8000, 0x80);
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + samples.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(8000, 24);
  header.writeUInt32LE(8000, 28);
  header.writeUInt16LE(1, 32);
  header.writeUInt16LE(8, 34);
  header.write('data', 36);
  header.writeUInt32LE(samples.length, 40);
  return Buffer.concat([header, samples]);
}

/** One second of silence as Opus in Ogg (RFC 7845). */
export function oggSample(): Buffer {
  const head = Buffer.from('OpusHead\x01\x01\x00\x00\x80\xbb\x00\x00\x00\x00\x00', 'latin1');
  const tags = Buffer.concat([Buffer.from('OpusTags'), Buffer.alloc(8)]);
  // A packet of 20 ms of silence in CELT mode.
  const packets = Array.from({ length: 50 }, () => Buffer.from([0xf8, 0xff, 0xfe]));
  return Buffer.concat([
    oggPage([head], { sequence: 0, position: 0, flags: 2 }),
    oggPage([tags], { sequence: 1, position: 0, flags: 0 }),
    oggPage(packets, { sequence: 2, position: 48_000, flags: 4 }),
  ]);
}

/** A page (RFC 3533, section 6). Each packet is shorter than 255 bytes. */
function oggPage(
  packets: readonly Buffer[],
  { sequence, position, flags }: { sequence: number; position: number; flags: number },
): Buffer {
  const header = Buffer.alloc(27);
  header.write('OggS', 0);
  header.writeUInt8(flags, 5);
  header.writeBigUInt64LE(BigInt(position), 6);
  header.writeUInt32LE(1, 14);
  header.writeUInt32LE(sequence, 18);
  header.writeUInt8(packets.length, 26);
  const page = Buffer.concat([header, Buffer.from(packets.map(({ length }) => length)), ...packets]);
  page.writeUInt32LE(oggChecksum(page), 22);
  return page;
}

/** CRC with the polynomial 0x04c11db7, not reflected. */
function oggChecksum(bytes: Buffer): number {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

/** An expression that records half a second of a moving picture in a browser. Its value is the file in Base64, or an error. */
export const recordVideo = (type: string) => `new Promise((resolve, reject) => {
  const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
  const context = canvas.getContext('2d');
  let frame = 0;
  setInterval(() => { context.fillStyle = 'hsl(' + (frame += 20) + ' 90% 50%)'; context.fillRect(0, 0, 64, 64); }, 40);
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: '${type}' });
  const chunks = [];
  recorder.ondataavailable = ({ data }) => chunks.push(data);
  recorder.onstop = () => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(',')[1]);
    reader.readAsDataURL(new Blob(chunks));
  };
  recorder.start();
  setTimeout(() => recorder.stop(), 1500);
}).catch((error) => 'error ' + error)`;
