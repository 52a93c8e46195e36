/** A form as browsers and curl send it. */
export async function encodeForm(
  fill: (form: FormData) => void,
): Promise<{ body: Buffer; headers: { 'Content-Type': string } }> {
  const form = new FormData();
  fill(form);
  const response = new Response(form);
  const body = Buffer.from(await response.arrayBuffer());
  return { body, headers: { 'Content-Type': response.headers.get('content-type') ?? '' } };
}
