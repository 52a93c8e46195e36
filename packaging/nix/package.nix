# The program that `npm run build` builds, with the Node.js of nixpkgs.
{
  lib,
  buildNpmPackage,
  nodejs_24,
  makeWrapper,
}:
buildNpmPackage {
  pname = "xmpp-porter";
  version = (lib.importJSON ../../package.json).version;
  src = ../..;
  npmDepsHash = lib.fakeHash;
  nodejs = nodejs_24;

  # The Node.js from npm is for checkouts; its binary does not run on NixOS.
  npmFlags = [ "--ignore-scripts" ];
  nativeBuildInputs = [ makeWrapper ];

  installPhase = ''
    runHook preInstall
    npm prune --omit=dev --ignore-scripts
    mkdir -p $out/lib/porter $out/bin
    cp -r dist migrations node_modules package.json $out/lib/porter/
    makeWrapper ${nodejs_24}/bin/node $out/bin/porter --add-flags $out/lib/porter/dist/main.js
    runHook postInstall
  '';

  meta = {
    description = "HTTP file sharing and messaging beside any XMPP server";
    license = lib.licenses.mit;
    mainProgram = "porter";
    platforms = lib.platforms.linux;
  };
}
