// One call by a vendor's SDK for Node.js: node peer.mjs FOLDER VENDOR ACTION PARAMS
// FOLDER has node_modules; PARAMS is JSON. Prints {"reply": …} or {"code": …, "message": …}.
import { createRequire } from "node:module";

const [folder, vendor, action, params] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const env = process.env;

async function aws(action, params) {
  const ssm = require("@aws-sdk/client-ssm");
  const client = new ssm.SSMClient({ region: env.AWS_DEFAULT_REGION, endpoint: env.AWS_ENDPOINT_URL, maxAttempts: 1 });
  return client.send(new ssm[`${action}Command`](params));
}

async function alibaba(action, params) {
  const { $OpenApiUtil } = require("@alicloud/openapi-core");
  const ecs = require("@alicloud/ecs20140526");
  const config = new $OpenApiUtil.Config({
    accessKeyId: env.ALIBABA_CLOUD_ACCESS_KEY_ID,
    accessKeySecret: env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
    securityToken: env.ALIBABA_CLOUD_SECURITY_TOKEN,
    regionId: env.ALIBABA_CLOUD_REGION_ID,
    endpoint: new URL(env.RUNCANCEL_ALIBABA_ENDPOINT_URL).host,
    protocol: "http",
  });
  const request = new ecs[`${action}Request`]({ regionId: env.ALIBABA_CLOUD_REGION_ID, ...params });
  const method = action[0].toLowerCase() + action.slice(1);
  return (await new ecs.default(config)[method](request)).body.toMap();
}

async function tencent(action, params) {
  const { tat } = require("tencentcloud-sdk-nodejs/tencentcloud/services/tat");
  const client = new tat.v20201028.Client({
    credential: {
      secretId: env.TENCENTCLOUD_SECRET_ID,
      secretKey: env.TENCENTCLOUD_SECRET_KEY,
      token: env.TENCENTCLOUD_TOKEN,
    },
    region: env.TENCENTCLOUD_REGION,
    profile: {
      language: "en-US",
      httpProfile: { endpoint: new URL(env.RUNCANCEL_TENCENT_ENDPOINT_URL).host, protocol: "http://" },
    },
  });
  return client[action](params);
}

try {
  const reply = await { aws, alibaba, tencent }[vendor](action, JSON.parse(params));
  console.log(JSON.stringify({ reply }));
} catch (error) {
  console.log(JSON.stringify({ code: error.code ?? error.name, message: error.message }));
}
