# NixOS module `services.porter`. The unit has the protection of contrib/systemd/porter.service.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  cfg = config.services.porter;
  format = pkgs.formats.yaml { };
  configFile = format.generate "porter.yml" cfg.settings;
in
{
  options.services.porter = {
    enable = lib.mkEnableOption "Porter, HTTP file sharing and messaging beside an XMPP server";

    package = lib.mkOption {
      type = lib.types.package;
      description = "The package of Porter.";
    };

    settings = lib.mkOption {
      inherit (format) type;
      default = { };
      description = ''
        The content of porter.yml. Every user of the machine can read it: give secrets as `secret_file`, `token_file` and so on,
        and pass the files with {option}`services.porter.credentials`.
      '';
    };

    credentials = lib.mkOption {
      type = lib.types.attrsOf lib.types.path;
      default = { };
      example = {
        component-secret = "/root/porter-component-secret";
      };
      description = ''
        Files that only root may read. In the settings write ''${CREDENTIALS_DIRECTORY}/NAME.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    services.porter.settings.storage = {
      blobs = lib.mkDefault "/var/lib/porter/blobs";
      ledger = lib.mkDefault "/var/lib/porter/porter.db";
    };

    environment.systemPackages = [ cfg.package ];
    environment.variables.PORTER_CONFIG = "${configFile}";

    users.users.porter = {
      isSystemUser = true;
      group = "porter";
      home = "/var/lib/porter";
    };
    users.groups.porter = { };

    systemd.services.porter = {
      description = "Porter: HTTP file sharing and messaging beside an XMPP server";
      wants = [ "network-online.target" ];
      after = [
        "network-online.target"
        "prosody.service"
        "ejabberd.service"
        "postgresql.service"
      ];
      wantedBy = [ "multi-user.target" ];
      # Porter runs systemd-notify.
      path = [ pkgs.systemd ];
      environment.PORTER_CONFIG = "${configFile}";
      serviceConfig = {
        Type = "notify";
        NotifyAccess = "all";
        WatchdogSec = 120;
        TimeoutStartSec = "30min";
        TimeoutStopSec = 45;
        KillMode = "mixed";
        ExecStart = "${lib.getExe cfg.package} serve";
        Restart = "always";
        RestartSec = 2;
        RestartPreventExitStatus = 2;
        User = "porter";
        Group = "porter";
        StateDirectory = "porter";
        StateDirectoryMode = "0750";
        RuntimeDirectory = "porter";
        RuntimeDirectoryMode = "0750";
        WorkingDirectory = "/var/lib/porter";
        UMask = "0027";
        LimitNOFILE = 65536;
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
        NoNewPrivileges = true;
        CapabilityBoundingSet = "";
        LockPersonality = true;
        PrivateDevices = true;
        PrivateTmp = true;
        PrivateUsers = true;
        ProcSubset = "pid";
        ProtectClock = true;
        ProtectControlGroups = true;
        ProtectHome = true;
        ProtectHostname = true;
        ProtectKernelLogs = true;
        ProtectKernelModules = true;
        ProtectKernelTunables = true;
        ProtectProc = "invisible";
        ProtectSystem = "strict";
        RemoveIPC = true;
        RestrictAddressFamilies = [
          "AF_UNIX"
          "AF_INET"
          "AF_INET6"
        ];
        RestrictNamespaces = true;
        RestrictRealtime = true;
        RestrictSUIDSGID = true;
        SystemCallArchitectures = "native";
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
        ];
      };
    };
  };
}
