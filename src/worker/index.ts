import { createGateway } from "./gateway/index.ts";

export { Api } from "./api/index.ts";

export default createGateway();
