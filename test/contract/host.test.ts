import {LocalHost} from '../../src/host/local.js';
import {describeHost} from '../support/host-contract.js';

describeHost('this machine', async () => new LocalHost());
