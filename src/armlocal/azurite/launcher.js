// Starts Azurite's blob service as it is, and lets accounts come and go while it runs.
//
// Azurite reads its accounts from AZURITE_ACCOUNTS, at its start and once a minute. Each line on stdin is
// JSON, {"accounts": "<value for AZURITE_ACCOUNTS>"}: it takes effect at once, and is answered by
// {"accounts": <how many>}. Nothing else of Azurite is touched. When stdin ends, so does this process: it
// never outlives the one that started it. AZURITE_HOME names the folder with node_modules.
"use strict";

const path = require("path");
const readline = require("readline");

const azurite = path.join(process.env.AZURITE_HOME, "node_modules", "azurite", "dist", "src");
const AccountDataStore = require(path.join(azurite, "common", "AccountDataStore.js")).default;

const stores = [];
const init = AccountDataStore.prototype.init;
AccountDataStore.prototype.init = function () {
  stores.push(this);
  return init.call(this);
};

readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    process.env.AZURITE_ACCOUNTS = JSON.parse(line).accounts;
    stores.forEach((store) => store.refresh());
    const count = stores.length ? Object.keys(stores[0].accounts).length : 0;
    process.stdout.write(JSON.stringify({ accounts: count }) + "\n");
  })
  .on("close", () => process.exit(0));

require(path.join(azurite, "blob", "main.js"));
