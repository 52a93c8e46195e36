# Porter for NixOS.
#
#   inputs.porter.url = "git+https://…/porter?dir=packaging/nix";
#   imports = [ inputs.porter.nixosModules.default ];
#   services.porter = {
#     enable = true;
#     settings = { public_url = "https://upload.example.org"; component = { jid = "upload.example.org"; secret_file = "…"; }; };
#   };
#
# State: only the syntax is checked (`nix-instantiate --parse`); not built and not run yet. At the first build, Nix prints the hash of
# the npm dependencies: write it into `npmDepsHash`.
{
  description = "HTTP file sharing and messaging beside any XMPP server";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAllSystems = nixpkgs.lib.genAttrs systems;
    in
    {
      packages = forAllSystems (system: {
        default = nixpkgs.legacyPackages.${system}.callPackage ./package.nix { };
      });

      nixosModules.default =
        { pkgs, lib, ... }:
        {
          imports = [ ./module.nix ];
          services.porter.package = lib.mkDefault self.packages.${pkgs.stdenv.hostPlatform.system}.default;
        };
    };
}
